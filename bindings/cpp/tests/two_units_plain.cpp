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

using writer = bool (*)(lmada::span<const std::byte>);
lmada::result<> written_elsewhere(const lmada::optimizer<double>& opt, writer write);

lmada::result<> written_elsewhere(const lmada::optimizer<double>& opt, writer write) { return opt.try_write(write); }
