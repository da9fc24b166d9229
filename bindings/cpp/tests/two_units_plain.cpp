#include "hostile_macros.hpp"

#include <lmada.hpp>

#include <vector>

#ifdef LMADA_HPP_THROWS
#error "this unit is compiled with -fno-exceptions"
#endif

lmada::result<> stepped_elsewhere(lmada::optimizer<double>& opt, std::vector<double>& params);

lmada::result<> stepped_elsewhere(lmada::optimizer<double>& opt, std::vector<double>& params) {
    return opt.try_step(params, std::vector<double>(params.size(), 1.0));
}
