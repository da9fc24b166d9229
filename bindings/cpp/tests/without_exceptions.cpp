// Tests all functions that exist without exceptions and RTTI, after macros that other headers define.

#include "hostile_macros.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "check.hpp"

#if defined(LMADA_HPP_THROWS) || defined(__cpp_rtti)
#error "this test is compiled with -fno-exceptions -fno-rtti"
#endif

namespace {

using lmada::status;
template <class T>
using optimizer = lmada::optimizer<T>;

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The first step is parallel to the gradient (3, 4), with length lr.
template <class T>
void first_step_is_along_the_gradient() {
    lmada::config options;
    options.lr = 0.5;
    auto created = optimizer<T>::try_create(2, options);
    CHECK(created && created.status() == status::ok);
    optimizer<T> opt = *std::move(created);
    std::vector<T> params{1, 1};
    const std::vector<T> grads{3, 4};
    CHECK(opt.try_step(params, grads));
    CHECK(std::abs(static_cast<double>(params[0]) - 0.7) < 1e-6);
    CHECK(std::abs(static_cast<double>(params[1]) - 0.6) < 1e-6);
    const auto stats = opt.try_stats();
    CHECK(stats && stats->steps == 1 && stats->history_len == 1);
    CHECK(opt.try_reset() && opt.try_set_lr(1) && opt.try_stats()->steps == 0);
}

template <class T>
void all_ways_to_step_agree() {
    const std::size_t dim = 60;
    const std::size_t cut = 23;
    optimizer<T> whole = *optimizer<T>::try_create(dim);
    optimizer<T> listed = *optimizer<T>::try_create(dim);
    optimizer<T> phased = *optimizer<T>::try_create_blocks({dim});
    optimizer<T> directed = *optimizer<T>::try_create(dim);
    check::noise noise;
    std::vector<T> a = noise.vector<T>(dim);
    std::vector<T> b = a;
    std::vector<T> c = a;
    T* const params[] = {b.data(), b.data() + cut};
    const std::size_t lens[] = {cut, dim - cut};
    for (int step = 0; step < 12; ++step) {
        const std::vector<T> grads = noise.vector<T>(dim);
        const T* const gradients[] = {grads.data(), grads.data() + cut};
        const std::vector<T> before = a;
        CHECK(whole.try_step(a, grads));
        CHECK(listed.try_step(params, gradients, lens));
        CHECK(same_bits(a, b));

        CHECK(phased.try_begin() && phased.try_feed(0, grads));
        CHECK(phased.try_partials() && phased.try_partials()->size() >= 10);
        CHECK(phased.try_solve() && phased.try_apply(0, c, grads) && phased.try_end());
        CHECK(same_bits(a, c));

        std::vector<T> direction(dim);
        CHECK(directed.try_direction(direction, grads));
        for (std::size_t i = 0; i < dim; ++i) {
            const double moved = static_cast<double>(before[i]) - 0.01 * static_cast<double>(direction[i]);
            CHECK(std::abs(static_cast<double>(a[i]) - moved) < 1e-6);
        }
    }
    std::vector<T> direction(dim);
    CHECK(phased.try_begin() && phased.try_feed(0, a) && phased.try_solve());
    CHECK(phased.try_apply_direction(0, direction, a) && phased.try_end());
    CHECK(phased.try_begin() && phased.try_cancel() && phased.try_stats()->steps == 13);
}

void a_saved_run_goes_on_with_the_same_bits() {
    const std::size_t dim = 50;
    optimizer<float> opt = *optimizer<float>::try_create(dim);
    check::noise noise;
    std::vector<float> params = noise.vector<float>(dim);
    for (int step = 0; step < 7; ++step) CHECK(opt.try_step(params, noise.vector<float>(dim)));
    std::vector<std::byte> state(*opt.try_state_size());
    CHECK(opt.try_save(state));

    optimizer<float> loaded = *optimizer<float>::try_create(dim);
    optimizer<float> joined = *optimizer<float>::try_create(dim);
    CHECK(loaded.try_load(state));
    const std::size_t firsts[] = {0};
    const void* const states[] = {state.data()};
    const std::size_t bytes[] = {state.size()};
    CHECK(joined.try_load_shares(firsts, states, bytes));
    std::vector<float> a = params;
    std::vector<float> b = params;
    for (int step = 0; step < 7; ++step) {
        const auto grads = noise.vector<float>(dim);
        CHECK(opt.try_step(params, grads) && loaded.try_step(a, grads) && joined.try_step(b, grads));
    }
    CHECK(same_bits(params, a) && same_bits(params, b));
}

// Tests the other functions with closed forms. The first update is g/sqrt(|g|^2 + eps).
template <class T>
void what_is_around_a_step_needs_no_exceptions() {
    lmada::config options;
    options.lr = 0.5;
    options.eps = 0;
    options.average_beta = 0.5;
    optimizer<T> opt = *optimizer<T>::try_create(2, options);
    CHECK(*optimizer<T>::try_memory(2, options) == opt.try_stats()->state_bytes);
    CHECK(opt.try_config()->average_beta == 0.5 && opt.try_set_grad_scale(0.5));
    options = *opt.try_config();
    CHECK(options.grad_scale == 0.5);
    options.lr = lmada::schedule(lmada::schedule_kind::linear, 1, 3, 1, 5);
    CHECK(options.lr == 0.5 && opt.try_set_config(options));
    CHECK(opt.try_set_groups({{0, 1, 0}, {1, 1, 2}}));
    std::vector<T> params{1, 1};
    T* const tensors[] = {params.data(), params.data() + 1};
    const std::vector<T> grads{3, 4};
    const T* const gradients[] = {nullptr, grads.data() + 1};
    const std::size_t lens[] = {1, 1};
    CHECK(opt.try_step(tensors, gradients, lens));
    CHECK(params[0] == 1 && std::abs(static_cast<double>(params[1])) < 1e-6);  // 1 - 2*0.5*1
    std::vector<T> out(2);
    CHECK(opt.try_averaged_params(out) && same_bits(out, params));
    CHECK(opt.try_observe(grads) && opt.try_precondition(out, grads) && opt.try_stats()->steps == 2);
    options.history_size = 3;
    CHECK(opt.try_set_config(options).status() == status::invalid_argument);
}

void a_state_streams_through_functions() {
    optimizer<float> opt = *optimizer<float>::try_create_blocks({700, 5});
    std::vector<float> params(705, 1);
    check::noise noise;
    for (int step = 0; step < 5; ++step) CHECK(opt.try_step(params, noise.vector<float>(705)));
    std::vector<std::byte> state;
    const auto write = [&state](lmada::span<const std::byte> piece) {
        state.insert(state.end(), piece.data(), piece.data() + piece.size());
        return true;
    };
    CHECK(opt.try_write(write) && state.size() == *opt.try_state_size());
    std::size_t given = 0;
    const auto read = [&state, &given](lmada::span<std::byte> piece) {
        if (piece.size() > state.size() - given) return false;
        std::memcpy(piece.data(), state.data() + given, piece.size());
        given += piece.size();
        return true;
    };
    auto resumed = optimizer<float>::try_from_state(read);
    CHECK(resumed && given == state.size());
    std::vector<float> others = params;
    for (int step = 0; step < 5; ++step) {
        const auto grads = noise.vector<float>(705);
        CHECK(opt.try_step(params, grads) && resumed->try_step(others, grads));
    }
    CHECK(same_bits(params, others));
    CHECK(optimizer<float>::try_from_state(read).status() == status::callback);  // no bytes are left
    CHECK(opt.try_write([](lmada::span<const std::byte>) { return false; }).status() == status::callback);
    given = 0;
    CHECK(optimizer<double>::try_from_state(read).status() == status::invalid_argument);
}

void bfloat16_steps() {
    optimizer<float> opt = *optimizer<float>::try_create(2);
    std::vector<float> params{1, 1};
    std::vector<std::uint16_t> copy(2);
    const std::vector<std::uint16_t> grads{0x4040, 0xC080};  // 3 and -4
    CHECK(opt.try_step_bf16(params, copy, grads));
    CHECK(std::abs(params[0] - 0.994f) < 1e-6f && std::abs(params[1] - 1.008f) < 1e-6f);
    CHECK(copy[0] == 0x3F7E && copy[1] == 0x3F81);  // 0.9921875 and 1.0078125
    CHECK(opt.try_begin() && opt.try_feed_bf16(0, grads) && opt.try_solve());
    CHECK(opt.try_apply_bf16(0, params, {}, grads) && opt.try_end() && opt.try_stats()->steps == 2);
}

void failures_are_results() {
    const auto none = optimizer<float>::try_create(0);
    CHECK(!none && none.status() == status::invalid_argument && check::contains(none.message(), "dim"));
    CHECK(optimizer<float>::try_create(static_cast<std::size_t>(-1)).status() == status::out_of_memory);
    lmada::config odd = lmada::config::recommended();
    odd.history_size = 0;
    CHECK(check::contains(optimizer<float>::try_create_blocks({1, 1}, odd).message(), "history_size"));

    optimizer<float> opt = *optimizer<float>::try_create(2);
    std::vector<float> params{1, 1};
    const std::vector<float> bad{3, NAN};
    const lmada::result<> refused = opt.try_step(params, bad);
    CHECK(!refused && refused.status() == status::non_finite && params[0] == 1 && params[1] == 1);
    const std::vector<float> three(3);
    CHECK(opt.try_step(params, three).status() == status::dimension_mismatch);
    float* const tensors[] = {params.data()};
    const float* const gradients[] = {three.data()};
    const std::size_t lens[] = {2, 0};
    CHECK(check::contains(opt.try_step(tensors, gradients, lens).message(), "differ in length"));
    CHECK(opt.try_solve().status() == status::wrong_phase);
    CHECK(opt.try_load(std::vector<std::byte>(9)).status() == status::bad_state);
    const void* const states[] = {params.data()};
    CHECK(check::contains(opt.try_load_shares(lens, states, lens).message(), "differ in length"));

    const optimizer<float> moved = std::move(opt);
    CHECK(opt.try_step(params, bad).status() == status::null_pointer);
    CHECK(std::strcmp(lmada::to_string(status::null_pointer), "LMADA_ERROR_NULL_POINTER") == 0);
}

}  // namespace

int main() {
    first_step_is_along_the_gradient<float>();
    first_step_is_along_the_gradient<double>();
    all_ways_to_step_agree<float>();
    all_ways_to_step_agree<double>();
    a_saved_run_goes_on_with_the_same_bits();
    what_is_around_a_step_needs_no_exceptions<float>();
    what_is_around_a_step_needs_no_exceptions<double>();
    a_state_streams_through_functions();
    bfloat16_steps();
    failures_are_results();
}
