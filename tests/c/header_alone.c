/* The header needs no other header, can be included twice, and is valid C. */
#include <lmada.h>
#include <lmada.h>

lmada_status_t (*const init)(lmada_config_t *, size_t) = lmada_config_init;
