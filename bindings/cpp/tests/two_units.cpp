// The header in three translation units of one program, one without exceptions, two after macros that other headers
// define; and optimizers that are passed between the units.

#include "hostile_macros.hpp"

#include "check.hpp"

lmada::optimizer<double> made_elsewhere(std::size_t dim);  // two_units_other.cpp
lmada::result<> stepped_elsewhere(lmada::optimizer<double>& opt, std::vector<double>& params);  // two_units_plain.cpp
using writer = bool (*)(lmada::span<const std::byte>);
lmada::result<> written_elsewhere(const lmada::optimizer<double>& opt, writer write);  // two_units_plain.cpp

namespace {

bool throws(lmada::span<const std::byte>) { throw 7; }
bool refuses(lmada::span<const std::byte>) { return false; }

}  // namespace

int main() {
    lmada::optimizer<double> opt = made_elsewhere(2);
    std::vector<double> params{1, 1};
    opt.step(params, std::vector<double>{3, 4});
    CHECK(opt.stats().steps == 1 && params[1] < params[0]);
    CHECK(stepped_elsewhere(opt, params) && opt.stats().steps == 2);
    // An exception thrown in the other unit is the same type in this one, and so is a result.
    CHECK_THROWS(made_elsewhere(0), lmada::status::invalid_argument, "dim");
    // A function of one type, written to from both units: here its exception is caught and comes out.
    CHECK(written_elsewhere(opt, &refuses).status() == lmada::status::callback);
    CHECK(opt.try_write(&throws).status() == lmada::status::callback);
    int caught = 0;
    try {
        opt.write(&throws);
    } catch (int number) {
        caught = number;
    }
    CHECK(caught == 7);
    params.push_back(1);
    CHECK_THROWS(stepped_elsewhere(opt, params).value(), lmada::status::dimension_mismatch, "3");
}
