// The header needs nothing before it, may come twice, and gives its functions C linkage.
#include <lmada.h>
#include <lmada.h>

extern "C" {
typedef lmada_status_t (*init_function)(lmada_config_t *, size_t);
}
extern const init_function init;
const init_function init = lmada_config_init;
