// The status and the message of a failure, with exceptions and without.

#include <cmath>
#include <cstdint>
#include <istream>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

using lmada::status;
using optimizer = lmada::optimizer<float>;

const std::vector<float> good{3, 4};
const std::vector<float> bad{3, std::numeric_limits<float>::quiet_NaN()};

// Every operation has a variant that cannot throw.
using floats = lmada::span<float>;
using const_floats = lmada::span<const float>;
using halves = lmada::span<std::uint16_t>;
using const_halves = lmada::span<const std::uint16_t>;
template <class... Arguments>
constexpr bool creates = noexcept(optimizer::try_create(std::declval<Arguments>()...));
static_assert(creates<std::size_t> && creates<std::size_t, const lmada::config&>);
static_assert(noexcept(optimizer::try_create_blocks(std::declval<lmada::span<const std::size_t>>())));
static_assert(noexcept(optimizer::try_create_blocks(std::declval<std::initializer_list<std::size_t>>())));
static_assert(noexcept(std::declval<optimizer&>().try_step(floats(), const_floats())));
static_assert(noexcept(std::declval<optimizer&>().try_step(std::declval<const lmada::tensor_list<float>&>())));
static_assert(noexcept(std::declval<optimizer&>().try_direction(floats(), const_floats())));
static_assert(noexcept(std::declval<optimizer&>().try_step_bf16(floats(), halves(), const_halves())));
static_assert(noexcept(std::declval<optimizer&>().try_observe(const_floats())));
static_assert(noexcept(std::declval<optimizer&>().try_precondition(floats(), const_floats())));
static_assert(noexcept(std::declval<const optimizer&>().try_averaged_params(floats())));
static_assert(noexcept(std::declval<optimizer&>().try_begin()));
static_assert(noexcept(std::declval<optimizer&>().try_feed_bf16(0, const_halves())));
static_assert(noexcept(std::declval<optimizer&>().try_apply_bf16(0, floats(), halves(), const_halves())));
static_assert(noexcept(std::declval<optimizer&>().try_feed(0, const_floats())));
static_assert(noexcept(std::declval<optimizer&>().try_partials()));
static_assert(noexcept(std::declval<optimizer&>().try_solve()));
static_assert(noexcept(std::declval<optimizer&>().try_apply(0, floats(), const_floats())));
static_assert(noexcept(std::declval<optimizer&>().try_end()));
static_assert(noexcept(std::declval<optimizer&>().try_cancel()));
static_assert(noexcept(std::declval<optimizer&>().try_reset()));
static_assert(noexcept(std::declval<optimizer&>().try_set_lr(0)));
static_assert(noexcept(std::declval<optimizer&>().try_set_grad_scale(0)));
static_assert(noexcept(std::declval<const optimizer&>().try_config()));
static_assert(noexcept(std::declval<optimizer&>().try_set_config(std::declval<const lmada::config&>())));
static_assert(noexcept(std::declval<optimizer&>().try_set_groups(lmada::span<const lmada::group>())));
static_assert(noexcept(std::declval<optimizer&>().try_set_groups(std::initializer_list<lmada::group>())));
static_assert(noexcept(optimizer::try_memory(1)) && noexcept(optimizer::try_from_state(std::declval<std::istream&>())));
static_assert(noexcept(std::declval<const optimizer&>().try_write(std::declval<std::ostream&>())));
static_assert(noexcept(std::declval<const optimizer&>().try_stats()));
static_assert(noexcept(std::declval<const optimizer&>().try_state_size()));
static_assert(noexcept(std::declval<const optimizer&>().try_save(lmada::span<std::byte>())));
static_assert(noexcept(std::declval<optimizer&>().try_load(lmada::span<const std::byte>())));

// An error is a runtime_error. Reading works on a const optimizer, changing does not.
static_assert(std::is_base_of_v<std::runtime_error, lmada::error>);
template <class Opt, class = void>
constexpr bool resets = false;
template <class Opt>
constexpr bool resets<Opt, std::void_t<decltype(std::declval<Opt&>().reset())>> = true;
static_assert(resets<optimizer> && !resets<const optimizer>);
template <class Opt, class = void>
constexpr bool sets_groups = false;
template <class Opt>
constexpr bool sets_groups<Opt, std::void_t<decltype(std::declval<Opt&>().set_groups({}))>> = true;
static_assert(sets_groups<optimizer> && !sets_groups<const optimizer>);
// A result of one type does not convert to one of another.
static_assert(!std::is_convertible_v<lmada::result<lmada_stats_t>, lmada::result<std::size_t>>);

void exceptions_carry_status_and_words() {
    CHECK_THROWS(optimizer(0), status::invalid_argument, "dim");
    lmada::config options;
    options.history_size = 0;
    CHECK_THROWS(optimizer(2, options), status::invalid_argument, "history_size");
    options = lmada::config();
    options.momentum = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS(optimizer(2, options), status::invalid_argument, "momentum");
    options = lmada::config();
    options.history_format = lmada::history::sparse;
    CHECK_THROWS(lmada::optimizer<double>(2, options), status::invalid_argument, "history_format");
    CHECK_THROWS(optimizer::create_blocks(lmada::span<const std::size_t>()), status::invalid_argument, "count");
    CHECK_THROWS(optimizer(std::numeric_limits<std::size_t>::max()), status::out_of_memory, "memory");

    optimizer opt(2);
    std::vector<float> params{1, 1};
    const std::vector<float> before = params;
    CHECK_THROWS(opt.step(params, bad), status::non_finite, "NaN");
    CHECK(params == before && opt.stats().steps == 0);
    CHECK_THROWS(opt.set_lr(-0.5), status::invalid_argument, "lr is -0.5");
    CHECK_THROWS(opt.solve(), status::wrong_phase, "solve");
    CHECK_THROWS(opt.load(std::vector<std::byte>(opt.state_size())), status::bad_state, "state");
    opt.step(params, good);
    CHECK(params != before && opt.stats().steps == 1);
}

void lengths_are_checked() {
    optimizer opt(2);
    std::vector<float> three(3, 1);
    std::vector<float> two(2, 1);
    CHECK_THROWS(opt.step(three, std::vector<float>(3)), status::dimension_mismatch, "dim is 3");
    CHECK_THROWS(opt.step(two, three), status::dimension_mismatch, "differ in length");
    CHECK_THROWS(opt.step(three, two), status::dimension_mismatch, "differ in length");
    CHECK_THROWS(opt.direction(three, two), status::dimension_mismatch, "differ in length");
    lmada::tensor_list<float> tensors;
    CHECK_THROWS(tensors.add(two, three), status::dimension_mismatch, "differ in length");
    CHECK(tensors.size() == 0);
    const std::vector<float> zeros(3);
    tensors.add(three, zeros);
    CHECK_THROWS(opt.step(tensors), status::dimension_mismatch, "3");
    opt.begin();
    opt.feed(0, good);
    opt.solve();
    CHECK_THROWS(opt.apply(0, two, three), status::dimension_mismatch, "differ in length");
    CHECK_THROWS(opt.apply(1, two, good), status::invalid_argument, "");
    CHECK(three == std::vector<float>(3, 1) && two == std::vector<float>(2, 1));
}

void results_say_the_same_without_throwing() {
    optimizer opt(2);
    std::vector<float> params{1, 1};
    const lmada::result<> refused = opt.try_step(params, bad);
    CHECK(!refused && refused.status() == status::non_finite);
    CHECK(check::contains(refused.message(), "NaN"));
    CHECK_THROWS(refused.value(), status::non_finite, "NaN");

    const lmada::result<> accepted = opt.try_step(params, good);
    CHECK(accepted && accepted.status() == status::ok && accepted.message()[0] == '\0');
    accepted.value();

    const auto stats = opt.try_stats();
    CHECK(stats && stats->steps == 1 && (*stats).history_len == 1);
    CHECK(stats.status() == status::ok);

    CHECK(opt.try_begin() && opt.try_begin().status() == status::wrong_phase);
    const auto partials = opt.try_partials();
    CHECK(!partials && partials.status() == status::wrong_phase && partials.message()[0] != '\0');
    CHECK_THROWS(opt.partials(), status::wrong_phase, "");
    CHECK(opt.try_cancel() && opt.try_cancel().status() == status::wrong_phase);

    const auto created = optimizer::try_create(0);
    CHECK(!created && created.status() == status::invalid_argument && check::contains(created.message(), "dim"));
    CHECK_THROWS(optimizer::try_create(0).value(), status::invalid_argument, "dim");
}

void statuses_have_names() {
    CHECK(std::string(lmada::to_string(status::ok)) == "LMADA_OK");
    CHECK(std::string(lmada::to_string(status::non_finite)) == "LMADA_ERROR_NON_FINITE");
    CHECK(std::string(lmada::to_string(status::callback)) == "LMADA_ERROR_CALLBACK");
    CHECK(std::string(lmada::version()) == lmada_version());
}

}  // namespace

int main() {
    exceptions_carry_status_and_words();
    lengths_are_checked();
    results_say_the_same_without_throwing();
    statuses_have_names();
}
