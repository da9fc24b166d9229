/* The header needs nothing before it, may come twice, and its names are those of C. */
#include <lmada.h>
#include <lmada.h>

lmada_status_t (*const init)(lmada_config_t *, size_t) = lmada_config_init;
