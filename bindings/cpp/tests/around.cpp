// Changes of options between steps, groups, schedules, averages, own update rules, bfloat16, tensors without a
// gradient, statistics. Compared with closed forms and with steps on the same numbers.

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

using lmada::status;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

bool near(double a, double b) { return std::abs(a - b) < 1e-6; }

lmada::config plain() {
    lmada::config options;
    options.lr = 0.5;
    options.eps = 0.25;
    return options;
}

// The first update is g/sqrt(|g|^2 + eps) with g = factor*(3, 4).
template <class T>
bool moved(const std::vector<T>& params, double factor, double lr) {
    const double scale = lr * factor / std::sqrt(25 * factor * factor + 0.25);
    return near(static_cast<double>(params[0]), 1 - 3 * scale) && near(static_cast<double>(params[1]), 1 - 4 * scale);
}

template <class T>
void options_change_in_flight() {
    lmada::optimizer<T> opt(2, plain());
    opt.set_lr(0.25);
    lmada::config options = opt.config();
    CHECK(options.lr == 0.25 && options.eps == 0.25 && options.history_size == 10);
    CHECK(options.dtype == (sizeof(T) == 4 ? LMADA_F32 : LMADA_F64));
    options.lr = 0.5;
    options.grad_clip_norm = 1;  // the gradient has length 5
    options.dtype = sizeof(T) == 4 ? LMADA_F64 : LMADA_F32;  // has no effect: the optimizer determines the type
    opt.set_config(options);
    CHECK(std::as_const(opt).config().grad_clip_norm == 1 && opt.stats().lr == 0.5);
    std::vector<T> params{1, 1};
    opt.step(params, std::vector<T>{3, 4});
    CHECK(moved(params, 0.2, 0.5));

    options.history_size = 11;
    CHECK_THROWS(opt.set_config(options), status::invalid_argument, "history_size");
    CHECK(opt.config().history_size == 10);

    lmada::optimizer<T> scaled(2, plain());
    scaled.set_grad_scale(0.1);
    CHECK(scaled.config().grad_scale == 0.1);
    params = {1, 1};
    scaled.step(params, std::vector<T>{3, 4});
    CHECK(moved(params, 0.1, 0.5));
    CHECK_THROWS(scaled.set_grad_scale(-1), status::invalid_argument, "-1");
}

template <class T>
void groups_have_factors_of_their_own() {
    lmada::config options = plain();
    options.weight_decay = 0.1;
    lmada::optimizer<T> opt(4, options);
    const std::vector<lmada::group> groups{{2, 1, 0}, lmada_group_t{1, 1, 0.5, 0}};
    opt.set_groups(groups);
    std::vector<T> params{1, 1, 1, 1};
    const T infinity = std::numeric_limits<T>::infinity();  // not read, since the parameter is frozen
    opt.step(params, std::vector<T>{3, 4, infinity, 0});
    const double scale = 0.5 / std::sqrt(25.25);
    CHECK(near(static_cast<double>(params[0]), 0.95 - 3 * scale));
    CHECK(near(static_cast<double>(params[1]), 1 - 0.5 * 4 * scale));
    CHECK(params[2] == 1 && near(static_cast<double>(params[3]), 0.95));

    CHECK_THROWS(opt.set_groups({{3, 2}}), status::invalid_argument, "");
    CHECK_THROWS(opt.set_groups({{0, 2, 1}, {1, 1, 1}}), status::invalid_argument, "");
    opt.set_groups({{0, 4, 0}});
    const std::vector<T> before = params;
    opt.step(params, std::vector<T>{1, 2, 3, 4});
    CHECK(same_bits(params, before));
    opt.set_groups({});
    opt.step(params, std::vector<T>{1, 2, 3, 4});
    CHECK(params[2] != before[2]);
}

void a_schedule_is_its_formula() {
    using lmada::schedule;
    using kind = lmada::schedule_kind;
    for (std::uint64_t step = 1; step <= 120; ++step) {
        const double at = static_cast<double>(step);
        const double x = (at - 20) / 80;
        const double rise = 0.3 * at / 20;
        const double end = step <= 100 ? 0.3 : 0;
        CHECK(near(schedule(kind::constant, 0.3, step, 20, 100), step <= 20 ? rise : end));
        CHECK(near(schedule(kind::linear, 0.3, step, 20, 100), step <= 20 ? rise : end * (1 - x)));
        const double cosine = (1 + std::cos(3.14159265358979 * x)) / 2;
        CHECK(near(schedule(kind::cosine, 0.3, step, 20, 100), step <= 20 ? rise : end * cosine));
    }
    CHECK(std::isnan(schedule(kind::cosine, 0.3, 0, 20, 100)));
    static_assert(noexcept(schedule(kind::linear, 1, 1, 1, 1)));
}

template <class T>
void averages_follow_the_parameters() {
    lmada::config options = plain();
    options.average_beta = 0.75;
    lmada::optimizer<T> opt(2, options);
    std::vector<T> average(2);
    CHECK_THROWS(opt.averaged_params(average), status::wrong_phase, "");
    check::noise noise;
    std::vector<T> params{1, 2};
    std::array<double, 2> sum{0, 0};
    double weights = 0;
    for (int step = 0; step < 9; ++step) {
        opt.step(params, noise.vector<T>(2));
        for (std::size_t i = 0; i < 2; ++i) sum[i] = 0.75 * sum[i] + 0.25 * static_cast<double>(params[i]);
        weights = 0.75 * weights + 0.25;
        std::as_const(opt).averaged_params(average);
        for (std::size_t i = 0; i < 2; ++i) CHECK(near(static_cast<double>(average[i]), sum[i] / weights));
    }
    std::vector<T> three(3);
    CHECK_THROWS(opt.averaged_params(three), status::dimension_mismatch, "3");
}

// Without clip and momentum, observing a gradient and preconditioning it gives the direction.
template <class T>
void rules_of_ones_own_have_their_parts() {
    lmada::optimizer<T> opt(5);
    lmada::optimizer<T> whole(5);
    check::noise noise;
    std::vector<T> out(5);
    CHECK_THROWS(opt.precondition(out, noise.vector<T>(5)), status::wrong_phase, "");
    for (int step = 0; step < 15; ++step) {
        const auto grads = noise.vector<T>(5);
        std::vector<T> expected(5);
        opt.observe(grads);
        opt.precondition(out, grads);
        whole.direction(expected, grads);
        for (std::size_t i = 0; i < 5; ++i) CHECK(near(static_cast<double>(out[i]), static_cast<double>(expected[i])));
    }
    CHECK(opt.stats().steps == 15);
    CHECK_THROWS(opt.observe(std::vector<T>(4)), status::dimension_mismatch, "4");
    CHECK_THROWS(opt.precondition(out, std::vector<T>(4)), status::dimension_mismatch, "differ in length");
}

std::uint16_t rounded(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float widened(std::uint16_t half) {
    const std::uint32_t bits = std::uint32_t{half} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

void bfloat16_is_the_upper_half() {
    const std::size_t dim = 100;
    lmada::optimizer<float> opt(dim);
    lmada::optimizer<float> phased(dim);
    lmada::optimizer<float> wide(dim);
    check::noise noise;
    std::vector<float> params = noise.vector<float>(dim);
    std::vector<float> in_phases = params;
    std::vector<float> expected = params;
    std::vector<std::uint16_t> copy(dim);
    std::vector<std::uint16_t> copy_in_phases(dim);
    for (int step = 0; step < 12; ++step) {
        std::vector<std::uint16_t> halves;
        std::vector<float> grads;
        for (const float value : noise.vector<float>(dim)) halves.push_back(rounded(value));
        for (const std::uint16_t half : halves) grads.push_back(widened(half));
        opt.step_bf16(params, copy, halves);
        phased.begin();
        phased.feed_bf16(0, halves);
        phased.solve();
        phased.apply_bf16(0, in_phases, copy_in_phases, halves);
        phased.end();
        wide.step(expected, grads);
        CHECK(same_bits(params, expected) && same_bits(in_phases, expected));
        for (std::size_t i = 0; i < dim; ++i) CHECK(copy[i] == rounded(params[i]));
        CHECK(copy_in_phases == copy);
    }
    // The copy may be missing, or an empty vector with memory.
    const std::vector<std::uint16_t> halves(dim, rounded(0.5f));
    std::vector<std::uint16_t> none(dim);
    none.clear();
    opt.step_bf16(params, {}, halves);
    phased.step_bf16(in_phases, none, halves);
    CHECK(same_bits(params, in_phases));
    CHECK_THROWS(opt.step_bf16(params, lmada::span<std::uint16_t>(copy.data(), 3), halves), status::dimension_mismatch,
                 "differ in length");
    phased.begin();
    phased.feed_bf16(0, halves);
    phased.solve();
    CHECK_THROWS(phased.apply_bf16(0, params, copy, lmada::span<const std::uint16_t>(halves.data(), 3)),
                 status::dimension_mismatch, "differ in length");
    phased.apply_bf16(0, params, {}, halves);
    phased.end();
}

// A missing gradient counts as zeros, and its parameters do not change.
template <class T>
void tensors_without_a_gradient_are_left_alone() {
    lmada::config options = plain();
    options.weight_decay = 0.1;
    lmada::optimizer<T> opt(4, options);
    lmada::optimizer<T> zeros(4, options);
    std::vector<T> a{1, 1};
    std::vector<T> b{2, 2};
    std::vector<T> both{1, 1, 2, 2};
    const std::vector<T> grads_a{3, 4};
    const std::vector<T> grads_b{1, 2};
    lmada::tensor_list<T> tensors;
    tensors.add(a, grads_a);
    tensors.add(b, nullptr);
    opt.step(tensors);
    zeros.step(both, std::vector<T>{3, 4, 0, 0});
    CHECK(b == (std::vector<T>{2, 2}) && both[2] != 2);
    CHECK(near(static_cast<double>(a[0]), static_cast<double>(both[0])) && a[0] != 1);
    CHECK(opt.stats().grad_norm == 5);

    tensors.set_grads(1, grads_b);
    tensors.set_grads(0, nullptr);
    const std::vector<T> before = a;
    opt.step(tensors);
    zeros.step(both, std::vector<T>{0, 0, 1, 2});
    CHECK(same_bits(a, before));
    const double decayed = 0.1 * 0.5 * 2;  // the weight decay that the first step did not apply to b
    CHECK(near(static_cast<double>(b[1]), static_cast<double>(both[3]) + decayed * (1 - 0.1 * 0.5)));

    CHECK_THROWS(tensors.set_grads(2, nullptr), status::invalid_argument, "");
    CHECK_THROWS(tensors.set_grads(2, grads_b), status::invalid_argument, "");
    CHECK_THROWS(tensors.set_grads(1, std::vector<T>{}), status::dimension_mismatch, "differ in length");
    CHECK_THROWS(tensors.add(b, std::vector<T>{}), status::dimension_mismatch, "differ in length");
    CHECK(tensors.size() == 2);
}

void stats_tell_of_refused_gradients() {
    lmada::optimizer<float> opt(3, plain());
    CHECK(opt.stats().lr == 0.5 && opt.stats().refused == 0);
    CHECK(opt.stats().non_finite_index == std::numeric_limits<std::uint64_t>::max());
    std::vector<float> params{1, 1, 1};
    const std::vector<float> bad{1, 2, std::numeric_limits<float>::quiet_NaN()};
    CHECK_THROWS(opt.step(params, bad), status::non_finite, "element 2");
    CHECK(opt.stats().refused == 1 && opt.stats().non_finite_index == 2);
}

template <class T>
void memory_is_known_before() {
    lmada::config options = plain();
    options.average_beta = 0.5;
    const std::uint64_t bytes = lmada::optimizer<T>::memory(5000, options);
    CHECK(bytes == lmada::optimizer<T>(5000, options).stats().state_bytes && bytes >= 11 * 5000 * sizeof(T));
    CHECK_THROWS(lmada::optimizer<T>::memory(0), status::invalid_argument, "dim");
}

}  // namespace

int main() {
    options_change_in_flight<float>();
    options_change_in_flight<double>();
    groups_have_factors_of_their_own<float>();
    groups_have_factors_of_their_own<double>();
    a_schedule_is_its_formula();
    averages_follow_the_parameters<float>();
    averages_follow_the_parameters<double>();
    rules_of_ones_own_have_their_parts<float>();
    rules_of_ones_own_have_their_parts<double>();
    bfloat16_is_the_upper_half();
    tensors_without_a_gradient_are_left_alone<float>();
    tensors_without_a_gradient_are_left_alone<double>();
    stats_tell_of_refused_gradients();
    memory_is_known_before<float>();
    memory_is_known_before<double>();
}
