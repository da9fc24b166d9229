// Compares the operations with the update rule in closed form, or with each other.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "check.hpp"

namespace {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
lmada::span<T> part(std::vector<T>& whole, std::size_t offset, std::size_t size) {
    return {whole.data() + offset, size};
}

template <class T>
lmada::span<const T> part(const std::vector<T>& whole, std::size_t offset, std::size_t size) {
    return {whole.data() + offset, size};
}

template <class T>
bool near(const std::vector<T>& a, const std::vector<T>& b) {
    const T most = 64 * std::numeric_limits<T>::epsilon();
    const auto close = [most](T x, T y) { return std::abs(x - y) <= most; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), close);
}

lmada::config busy_options() {
    lmada::config options;
    options.history_size = 5;
    options.lr = 0.1;
    options.momentum_kind = lmada::momentum::gradient;
    options.clip_kind = lmada::graft::ema_norm;
    options.weight_decay = 0.01;
    return options;
}

// The first update is g/sqrt(|g|^2 + eps): parallel to g, with a length of almost 1.
template <class T>
void first_step_is_the_normalised_gradient() {
    lmada::config options;
    options.lr = 0.5;
    options.eps = 0.25;
    lmada::optimizer<T> opt(3, options);
    std::vector<T> params{1, 2, 3};
    const std::vector<T> grads{2, -1, 2};
    opt.step(params, grads);
    const double scale = 0.5 / std::sqrt(9.25);
    for (std::size_t i = 0; i < 3; ++i) {
        const double expected = static_cast<double>(i + 1) - scale * static_cast<double>(grads[i]);
        CHECK(std::abs(static_cast<double>(params[i]) - expected) < 1e-6);
    }
    const lmada_stats_t stats = opt.stats();
    CHECK(stats.steps == 1 && stats.history_len == 1 && stats.rank == 1);
    CHECK(std::abs(stats.grad_norm - 3) < 1e-6 && std::abs(stats.eig_max - 9) < 1e-6);
    CHECK(stats.state_bytes >= 10 * 3 * sizeof(T));
}

template <class T>
void all_ways_to_step_agree() {
    const std::size_t dim = 300;
    const std::size_t cut = 77;
    const lmada::config options = busy_options();
    lmada::optimizer<T> whole(dim, options);
    lmada::optimizer<T> listed(dim, options);
    lmada::optimizer<T> phased(dim, options);
    lmada::optimizer<T> directed(dim, options);
    lmada::optimizer<T> pieced(dim, options);
    check::noise noise;
    std::vector<T> a = noise.vector<T>(dim);
    std::vector<T> b = a;
    std::vector<T> c = a;
    std::vector<T> grads(dim);
    lmada::tensor_list<T> tensors;  // made once, since the arrays do not move
    tensors.add(part(b, 0, cut), part(std::as_const(grads), 0, cut));
    tensors.add({}, {});
    tensors.add(part(b, cut, dim - cut), part(std::as_const(grads), cut, dim - cut));
    for (int step = 0; step < 12; ++step) {
        const std::vector<T> next = noise.vector<T>(dim);
        std::copy(next.begin(), next.end(), grads.begin());
        const std::vector<T> before = a;
        whole.step(a, grads);
        listed.step(tensors);

        phased.begin();
        phased.feed(cut, part(std::as_const(grads), cut, dim - cut));
        phased.feed(0, part(std::as_const(grads), 0, cut));
        CHECK(phased.partials().size() >= options.history_size);
        phased.solve();
        phased.apply(0, c, grads);
        phased.end();
        CHECK(same_bits(a, b));
        CHECK(near(a, c));  // the sums over the pieces are rounded in another order

        std::vector<T> direction(dim);
        directed.direction(direction, grads);
        std::vector<T> pieces(dim);
        pieced.begin();
        pieced.feed(0, grads);
        pieced.solve();
        pieced.apply_direction(cut, part(pieces, cut, dim - cut), part(std::as_const(grads), cut, dim - cut));
        pieced.apply_direction(0, part(pieces, 0, cut), part(std::as_const(grads), 0, cut));
        pieced.end();
        CHECK(same_bits(direction, pieces));
        for (std::size_t i = 0; i < dim; ++i) {
            const double kept = 1 - options.lr * options.weight_decay;
            const double moved = options.lr * static_cast<double>(direction[i]);
            const double expected = kept * static_cast<double>(before[i]) - moved;
            CHECK(std::abs(static_cast<double>(a[i]) - expected) < 1e-6);
        }
    }
    CHECK(whole.stats().history_len == 5 && whole.stats().steps == 12);
}

void a_cancelled_step_never_was() {
    lmada::optimizer<float> opt(4);
    lmada::optimizer<float> undisturbed(4);
    std::vector<float> a{1, 2, 3, 4};
    std::vector<float> b = a;
    check::noise noise;
    for (int step = 0; step < 3; ++step) {
        const auto grads = noise.vector<float>(4);
        opt.begin();
        opt.feed(0, std::vector<float>(4, 100));
        opt.solve();
        CHECK(opt.stats().grad_norm > 100);
        opt.cancel();
        opt.step(a, grads);
        undisturbed.step(b, grads);
    }
    CHECK(same_bits(a, b));
}

// Each block steps like a separate model.
void blocks_are_separate_models() {
    auto blocks = lmada::optimizer<double>::create_blocks({2, 0, 3});
    const std::vector<std::size_t> dims{2, 0, 3};
    auto from_vector = lmada::optimizer<double>::create_blocks(dims);
    lmada::optimizer<double> first(2);
    lmada::optimizer<double> second(3);
    std::vector<double> a{1, 2, 3, 4, 5};
    std::vector<double> b = a;
    std::vector<double> c = a;
    check::noise noise;
    for (int step = 0; step < 20; ++step) {
        const auto grads = noise.vector<double>(5);
        blocks.step(a, grads);
        from_vector.step(b, grads);
        first.step(part(c, 0, 2), part(grads, 0, 2));
        second.step(part(c, 2, 3), part(grads, 2, 3));
    }
    CHECK(same_bits(a, b) && same_bits(a, c));
}

template <class T>
void a_saved_run_goes_on_with_the_same_bits() {
    const std::size_t dim = 50;
    lmada::optimizer<T> opt(dim, busy_options());
    check::noise noise;
    std::vector<T> params = noise.vector<T>(dim);
    for (int step = 0; step < 7; ++step) opt.step(params, noise.vector<T>(dim));
    opt.set_lr(0.03);

    const lmada::optimizer<T>& untouched = opt;
    const std::vector<std::byte> state = untouched.save();
    CHECK(state.size() == untouched.state_size());
    std::vector<std::byte> buffer(state.size());
    untouched.save(buffer);
    CHECK(buffer == state);

    lmada::optimizer<T> resumed(dim, busy_options());
    std::vector<T> others = params;
    resumed.load(state);
    CHECK(resumed.stats().steps == 7);
    for (int step = 0; step < 7; ++step) {
        const auto grads = noise.vector<T>(dim);
        opt.step(params, grads);
        resumed.step(others, grads);
    }
    CHECK(same_bits(params, others));

    buffer[buffer.size() / 2] ^= std::byte{1};
    CHECK_THROWS(resumed.load(buffer), lmada::status::bad_state, "");
    CHECK_THROWS(resumed.save(lmada::span<std::byte>(buffer.data(), buffer.size() - 1)),
                 lmada::status::dimension_mismatch, "");
    lmada::optimizer<T> other_length(dim + 1, busy_options());
    CHECK_THROWS(other_length.load(state), lmada::status::dimension_mismatch, "");
}

// A step of a model with split blocks: the shares add up their sums, then each share continues.
template <class T>
void step_together(std::vector<lmada::optimizer<T>>& shares, std::vector<std::vector<T>>& params,
                   const std::vector<std::vector<T>>& grads) {
    std::vector<double> totals;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        shares[i].begin();
        shares[i].feed(0, grads[i]);
        const lmada::span<double> sums = shares[i].partials();
        totals.resize(sums.size());
        for (std::size_t j = 0; j < sums.size(); ++j) totals[j] += sums[j];
    }
    for (std::size_t i = 0; i < shares.size(); ++i) {
        std::copy(totals.begin(), totals.end(), shares[i].partials().data());
        shares[i].solve();
        shares[i].apply(0, params[i], grads[i]);
        shares[i].end();
    }
}

// The lengths of the shares with these ends in two blocks, of 8 and 6.
template <class T>
std::vector<std::vector<T>> cut(const std::vector<T>& whole, const std::vector<std::array<std::size_t, 2>>& ends) {
    std::vector<std::vector<T>> parts;
    std::array<std::size_t, 2> begin{0, 0};
    for (const auto& end : ends) {
        std::vector<T> share;
        for (std::size_t i = begin[0]; i < end[0]; ++i) share.push_back(whole[i]);
        for (std::size_t i = begin[1]; i < end[1]; ++i) share.push_back(whole[8 + i]);
        parts.push_back(share);
        begin = end;
    }
    return parts;
}

template <class T>
void states_of_three_shares_go_on_in_two() {
    const std::vector<std::array<std::size_t, 2>> before{{3, 1}, {3, 5}, {8, 6}};
    const std::vector<std::array<std::size_t, 2>> after{{6, 0}, {8, 6}};
    const auto make = [](const std::vector<std::array<std::size_t, 2>>& ends) {
        std::vector<lmada::optimizer<T>> shares;
        std::array<std::size_t, 2> begin{0, 0};
        for (const auto& end : ends) {
            shares.push_back(
                lmada::optimizer<T>::create_blocks({end[0] - begin[0], end[1] - begin[1]}, busy_options()));
            begin = end;
        }
        return shares;
    };
    auto whole = lmada::optimizer<T>::create_blocks({8, 6}, busy_options());
    check::noise noise;
    std::vector<T> expected = noise.vector<T>(14);

    auto three = make(before);
    auto params = cut(expected, before);
    for (int step = 0; step < 7; ++step) {
        const auto grads = noise.vector<T>(14);
        whole.step(expected, grads);
        step_together(three, params, cut(grads, before));
    }
    CHECK(near(params[0], cut(expected, before)[0]) && near(params[2], cut(expected, before)[2]));

    std::vector<std::vector<std::byte>> saved;
    for (const auto& share : three) saved.push_back(share.save());
    lmada::state_list states;
    for (const auto& state : saved) states.add(state);
    CHECK(states.size() == 3);
    auto two = make(after);
    two[0].load_shares({0, 0}, states);
    const std::vector<std::size_t> firsts{6, 0};
    two[1].load_shares(firsts, states);
    CHECK(two[1].stats().steps == 7);
    params = cut(expected, after);
    for (int step = 0; step < 7; ++step) {
        const auto grads = noise.vector<T>(14);
        whole.step(expected, grads);
        step_together(two, params, cut(grads, after));
    }
    CHECK(near(params[0], cut(expected, after)[0]) && near(params[1], cut(expected, after)[1]));

    const std::vector<std::byte> untouched = two[0].save();
    CHECK_THROWS(two[0].load_shares({3, 0}, states), lmada::status::invalid_argument, "");
    CHECK_THROWS(two[0].load_shares({0, 0}, lmada::state_list()), lmada::status::invalid_argument, "");
    saved[1].back() ^= std::byte{1};
    CHECK(two[0].try_load_shares({0, 0}, states).status() == lmada::status::bad_state);
    CHECK(two[0].save() == untouched);
    const lmada::optimizer<T> moved = std::move(two[0]);
    CHECK(two[0].try_load_shares({0, 0}, states).status() == lmada::status::null_pointer);
}

// The first update is parallel to the gradient as stored, which equals the gradient for these numbers.
void every_format_steps() {
    for (const auto format : {lmada::history::full, lmada::history::bf16, lmada::history::f16, lmada::history::int8,
                              lmada::history::sparse}) {
        lmada::config options;
        options.history_format = format;
        options.density = 1;
        lmada::optimizer<float> opt(4, options);
        std::vector<float> params{1, 2, 3, 4};
        opt.step(params, std::vector<float>{127, -127, 127, -127});
        CHECK(near(params, std::vector<float>{0.995f, 2.005f, 2.995f, 4.005f}));
        for (int step = 0; step < 20; ++step) opt.step(params, std::vector<float>(params));
        CHECK(std::all_of(params.begin(), params.end(), [](float w) { return w > 0.5f && w < 4; }));
        CHECK(opt.stats().steps == 21 && opt.stats().history_len == 10);
    }
}

void reset_starts_anew_and_keeps_the_rate() {
    lmada::optimizer<float> opt(2);
    std::vector<float> params{1, 1};
    opt.step(params, std::vector<float>{1, 0});
    opt.set_lr(0.5);
    opt.reset();
    CHECK(opt.stats().steps == 0 && opt.stats().history_len == 0);
    params = {1, 1};
    opt.step(params, std::vector<float>{3, 4});
    CHECK(std::abs(params[0] - 0.7f) < 1e-6f && std::abs(params[1] - 0.6f) < 1e-6f);
}

void options_start_from_the_librarys() {
    lmada_config_t defaults;
    CHECK(lmada_config_init(&defaults, sizeof defaults) == LMADA_OK);
    const lmada::config options;
    CHECK(options.struct_size == sizeof(lmada_config_t));
    CHECK(options.history_size == defaults.history_size && options.threads == defaults.threads);
    CHECK(options.lr == defaults.lr && options.bias_correction == defaults.bias_correction);

    CHECK(lmada_config_recommended(&defaults, sizeof defaults) == LMADA_OK);
    const lmada::config recommended = lmada::config::recommended();
    CHECK(recommended.history_size == defaults.history_size && recommended.lr == defaults.lr);
    CHECK(recommended.clip_kind == defaults.clip_kind && recommended.momentum_kind == defaults.momentum_kind);

    // The template determines the element type; dtype has no effect.
    lmada::config odd;
    odd.dtype = LMADA_F64;
    lmada::optimizer<float> opt(1, odd);
    float params[] = {1};
    const float grads[] = {1};
    CHECK(opt.try_step(params, grads));
}

// Anything with data and size converts. The conversion may add `const`, but not remove it.
void arrays_of_all_kinds_are_taken() {
    lmada::optimizer<double> opt(3);
    double c_array[3] = {1, 2, 3};
    std::array<double, 3> array{1, 2, 3};
    std::vector<double> vector{1, 2, 3};
    const std::vector<double> constant{1, 2, 2};
    opt.step(c_array, constant);
    opt.step(array, c_array);
    opt.step(vector, array);
    opt.step({vector.data(), vector.size()}, {constant.data(), 3});
    opt.step(lmada::span<double>(vector), lmada::span<const double>(constant));
    CHECK(opt.stats().steps == 5);
#if __cplusplus >= 202002L
    static_assert(std::is_same_v<lmada::span<double>, std::span<double>>);
    std::span<double> dynamic(vector);
    std::span<double, 3> fixed(array);
    opt.step(dynamic, fixed);
    opt.step(dynamic.first(3), std::as_const(array));
    CHECK(opt.stats().steps == 7);
#endif
    static_assert(std::is_convertible_v<std::vector<double>&, lmada::span<const double>>);
    static_assert(!std::is_convertible_v<const std::vector<double>&, lmada::span<double>>);
    static_assert(!std::is_convertible_v<std::vector<float>&, lmada::span<double>>);
    static_assert(!std::is_convertible_v<std::vector<float>&, lmada::span<const double>>);
}

}  // namespace

int main() {
    first_step_is_the_normalised_gradient<float>();
    first_step_is_the_normalised_gradient<double>();
    all_ways_to_step_agree<float>();
    all_ways_to_step_agree<double>();
    a_cancelled_step_never_was();
    blocks_are_separate_models();
    a_saved_run_goes_on_with_the_same_bits<float>();
    a_saved_run_goes_on_with_the_same_bits<double>();
    states_of_three_shares_go_on_in_two<float>();
    states_of_three_shares_go_on_in_two<double>();
    every_format_steps();
    reset_starts_anew_and_keeps_the_rate();
    options_start_from_the_librarys();
    arrays_of_all_kinds_are_taken();
}
