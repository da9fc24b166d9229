// The header in two translation units of one program, and an optimizer that crosses from one to the other.

#include "check.hpp"

lmada::optimizer<double> made_elsewhere(std::size_t dim);  // two_units_other.cpp

int main() {
    lmada::optimizer<double> opt = made_elsewhere(2);
    std::vector<double> params{1, 1};
    opt.step(params, std::vector<double>{3, 4});
    CHECK(opt.stats().steps == 1 && params[1] < params[0]);
    // An exception thrown in the other unit is the same type in this one.
    CHECK_THROWS(made_elsewhere(0), lmada::status::invalid_argument, "dim");
}
