// lmada for C++17 and later: limited-memory full-matrix Adagrad.
//
//     lmada::config options;                      // the defaults; lmada::config::recommended() is the other start
//     options.lr = 0.05;
//     lmada::optimizer<float> optimizer(weights.size(), options);
//     optimizer.step(weights, gradient);          // throws lmada::error
//
// Every operation has a twin `try_...` that never throws and returns an `lmada::result`. What an operation does, and
// which statuses it can give, is documented at its C function in lmada.h: `step` is `lmada_step`, and so on. The rules
// of that header hold here too: a call that fails changed nothing, and no pointer to the caller's arrays is kept.
//
// Under -fno-exceptions the twins are all there is: what throws is left out, `tensor_list` and `state_list` too, which
// allocate. Nothing here aborts then. RTTI is not needed.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_HPP
#define LMADA_HPP

#include <lmada.h>

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define LMADA_HPP_THROWS 1
#include <stdexcept>
#include <vector>
#endif
#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_span
#include <span>
#endif

namespace lmada {

// What became of a call.
enum class status : lmada_status_t {
    ok = LMADA_OK,
    null_pointer = LMADA_ERROR_NULL_POINTER,
    invalid_argument = LMADA_ERROR_INVALID_ARGUMENT,
    dimension_mismatch = LMADA_ERROR_DIMENSION_MISMATCH,
    non_finite = LMADA_ERROR_NON_FINITE,
    out_of_memory = LMADA_ERROR_OUT_OF_MEMORY,
    busy = LMADA_ERROR_BUSY,
    wrong_phase = LMADA_ERROR_WRONG_PHASE,
    bad_state = LMADA_ERROR_BAD_STATE,
    internal = LMADA_ERROR_INTERNAL,
    callback = LMADA_ERROR_CALLBACK,
};

// The C name of a status, as "LMADA_ERROR_BUSY".
inline const char* to_string(status value) noexcept {
    return lmada_status_string(static_cast<lmada_status_t>(value));
}

// The version of the library that is linked, as "0.1.0".
inline const char* version() noexcept { return lmada_version(); }

#ifdef LMADA_HPP_THROWS
// A failed call: its status, and in `what()` which argument was wrong and what it was.
class error : public std::runtime_error {
public:
    error(lmada::status status, const char* message) : std::runtime_error(message), status_(status) {}
    lmada::status status() const noexcept { return status_; }

private:
    lmada::status status_;
};
#endif

// What a `try_` call returns: a value, or a status and the words to it. The words are the library's, kept for each
// thread: read them on the thread that made the call, before its next failure.
template <class T = void>
class result;

template <>
class [[nodiscard]] result<void> {
public:
    explicit result(lmada_status_t code) noexcept
        : result(static_cast<lmada::status>(code), code == LMADA_OK ? "" : lmada_last_error()) {}
    result(lmada::status status, const char* message) noexcept : status_(status), message_(message) {}

    explicit operator bool() const noexcept { return status_ == lmada::status::ok; }
    lmada::status status() const noexcept { return status_; }
    const char* message() const noexcept { return message_; }
#ifdef LMADA_HPP_THROWS
    // Throws `error` after a failure.
    void value() const {
        if (!*this) throw error(status_, message_);
    }
#endif

private:
    lmada::status status_;
    const char* message_;
};

template <class T>
class [[nodiscard]] result : result<void> {
    static_assert(std::is_nothrow_move_constructible_v<T>, "a result is made without throwing");

public:
    using result<void>::operator bool;
    using result<void>::status;
    using result<void>::message;

    result(T value) noexcept : result<void>(LMADA_OK), value_(std::move(value)) {}
    result(result<void> failure) noexcept : result<void>(failure) {}

    // The value; only after success.
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }
#ifdef LMADA_HPP_THROWS
    // The value; throws `error` after a failure.
    T value() && {
        result<void>::value();
        return *std::move(value_);
    }
#endif

private:
    std::optional<T> value_;
};

// An array that belongs to somebody else: `std::span` where the standard library has it, else as much of it as is
// needed here. Containers, arrays and `{pointer, size}` convert to it.
#ifdef __cpp_lib_span
template <class T>
using span = std::span<T>;
#else
template <class T>
class span {
public:
    constexpr span() noexcept = default;
    constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    // From whatever has data and a size, where only `const` is added to its elements.
    template <class Range, class Element = std::remove_pointer_t<decltype(std::data(std::declval<Range&>()))>,
              class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]> &&
                                       !std::is_same_v<std::decay_t<Range>, span>>>
    constexpr span(Range&& range) noexcept : data_(std::data(range)), size_(std::size(range)) {}

    constexpr T* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }
    constexpr T* begin() const noexcept { return data_; }
    constexpr T* end() const noexcept { return data_ + size_; }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

// Values of `config::history_format`. All but `full` are for `optimizer<float>` only; `density` is of `sparse`.
namespace history {
inline constexpr lmada_history_format_t full = LMADA_HISTORY_FULL;
inline constexpr lmada_history_format_t bf16 = LMADA_HISTORY_BF16;
inline constexpr lmada_history_format_t f16 = LMADA_HISTORY_F16;
inline constexpr lmada_history_format_t int8 = LMADA_HISTORY_INT8;
inline constexpr lmada_history_format_t sparse = LMADA_HISTORY_SPARSE;
}  // namespace history

// Values of `config::momentum_kind`.
namespace momentum {
inline constexpr lmada_momentum_t none = LMADA_MOMENTUM_NONE;
inline constexpr lmada_momentum_t gradient = LMADA_MOMENTUM_GRADIENT;
inline constexpr lmada_momentum_t update = LMADA_MOMENTUM_UPDATE;
inline constexpr lmada_momentum_t window = LMADA_MOMENTUM_WINDOW;
}  // namespace momentum

// Values of `config::clip_kind`.
namespace clip {
inline constexpr lmada_clip_t none = LMADA_CLIP_NONE;
inline constexpr lmada_clip_t norm = LMADA_CLIP_NORM;
inline constexpr lmada_clip_t ema_norm = LMADA_CLIP_EMA_NORM;
inline constexpr lmada_clip_t ema_vector = LMADA_CLIP_EMA_VECTOR;
}  // namespace clip

// Values of `config::clip_kind` that set the length of an update instead of bounding it.
namespace graft {
inline constexpr lmada_clip_t ema_norm = LMADA_GRAFT_EMA_NORM;
inline constexpr lmada_clip_t ema_vector = LMADA_GRAFT_EMA_VECTOR;
inline constexpr lmada_clip_t input = LMADA_GRAFT_INPUT;
}  // namespace graft

// The options: the fields of `lmada_config_t`, starting from the defaults. `dtype` follows from the optimizer's type.
struct config : lmada_config_t {
    config() noexcept : lmada_config_t{} { fill(&lmada_config_init); }

    // The options that trained best in the library's own measurements. They use diagonal preconditioning, which rules
    // out `centered` and the clips by EMA vectors; `lr` is Adam's.
    static config recommended() noexcept {
        config options;
        options.fill(&lmada_config_recommended);
        return options;
    }

private:
    void fill(lmada_status_t (*init)(lmada_config_t*, std::size_t)) noexcept {
        // Fails only where the library is older than this header. The size then makes `lmada_create` say so.
        if (init(this, sizeof(lmada_config_t)) != LMADA_OK) struct_size = sizeof(lmada_config_t);
    }
};

#ifdef LMADA_HPP_THROWS
// A model that lies in several arrays: pairs of parameters and their gradient, in the optimizer's order. It holds
// addresses, so that it is made once and serves for every step, as long as the arrays stay where they are.
template <class T>
class tensor_list {
public:
    void add(span<T> params, span<const T> grads) {
        if (params.size() != grads.size()) {
            throw error(status::dimension_mismatch, "params and grads of a tensor differ in length");
        }
        const std::size_t last = lens_.size();
        params_.resize(last + 1);
        grads_.resize(last + 1);
        params_[last] = params.data();
        grads_[last] = grads.data();
        lens_.push_back(params.size());  // last, for it is what counts: should memory be out, nothing was added
    }

    std::size_t size() const noexcept { return lens_.size(); }
    T* const* params() const noexcept { return params_.data(); }
    const T* const* grads() const noexcept { return grads_.data(); }
    const std::size_t* lens() const noexcept { return lens_.data(); }

private:
    std::vector<T*> params_;
    std::vector<const T*> grads_;
    std::vector<std::size_t> lens_;
};

// Saved states of the shares of one model, in their order. It holds addresses.
class state_list {
public:
    void add(span<const std::byte> state) {
        states_.reserve(states_.size() + 1);  // first, so that nothing was added should memory be out
        bytes_.push_back(state.size());
        states_.push_back(state.data());
    }

    std::size_t size() const noexcept { return states_.size(); }
    const void* const* states() const noexcept { return states_.data(); }
    const std::size_t* bytes() const noexcept { return bytes_.data(); }

private:
    std::vector<const void*> states_;
    std::vector<std::size_t> bytes_;
};
#endif

namespace detail {

// The C functions of an element type.
template <class T>
struct api;

template <>
struct api<float> {
    static constexpr lmada_dtype_t dtype = LMADA_F32;
    static constexpr auto step = &lmada_step;
    static constexpr auto step_tensors = &lmada_step_tensors;
    static constexpr auto direction = &lmada_direction;
    static constexpr auto feed = &lmada_feed;
    static constexpr auto apply = &lmada_apply;
    static constexpr auto apply_direction = &lmada_apply_direction;
};

template <>
struct api<double> {
    static constexpr lmada_dtype_t dtype = LMADA_F64;
    static constexpr auto step = &lmada_step_f64;
    static constexpr auto step_tensors = &lmada_step_tensors_f64;
    static constexpr auto direction = &lmada_direction_f64;
    static constexpr auto feed = &lmada_feed_f64;
    static constexpr auto apply = &lmada_apply_f64;
    static constexpr auto apply_direction = &lmada_apply_direction_f64;
};

struct free_handle {
    void operator()(lmada_t* handle) const noexcept { lmada_free(handle); }
};

inline result<void> lengths_differ() noexcept {
    return {status::dimension_mismatch, "the arrays of the call differ in length"};
}

}  // namespace detail

// An optimizer of `float` or `double` parameters. Owns its handle; moves, does not copy. An optimizer that was moved
// from, or whose handle was released, answers every call with `status::null_pointer`.
template <class T>
class optimizer {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "parameters are float or double");
    using api = detail::api<T>;
    using owner = std::unique_ptr<lmada_t, detail::free_handle>;

public:
    using value_type = T;

    // For `dim` parameters.
    static result<optimizer> try_create(std::size_t dim, const config& options = {}) noexcept {
        return create(options, [dim](const lmada_config_t* c, lmada_t** out) { return lmada_create(c, dim, out); });
    }
    // For parameters in blocks, one after the other, with a preconditioner each.
    static result<optimizer> try_create_blocks(span<const std::size_t> dims, const config& options = {}) noexcept {
        return create(options, [dims](const lmada_config_t* c, lmada_t** out) {
            return lmada_create_blocks(c, dims.data(), dims.size(), out);
        });
    }
    static result<optimizer> try_create_blocks(std::initializer_list<std::size_t> dims,
                                               const config& options = {}) noexcept {
        return try_create_blocks(span<const std::size_t>(dims.begin(), dims.size()), options);
    }

    // One step: moves `params` against the preconditioned direction of `grads`.
    result<> try_step(span<T> params, span<const T> grads) noexcept {
        if (params.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::step(get(), params.data(), grads.data(), grads.size()));
    }
    // The same for a model in several arrays, without copying them together: where they lie, and how long each is.
    result<> try_step(span<T* const> params, span<const T* const> grads, span<const std::size_t> lens) noexcept {
        if (params.size() != lens.size() || grads.size() != lens.size()) return detail::lengths_differ();
        return result<>(api::step_tensors(get(), params.data(), grads.data(), lens.data(), lens.size()));
    }
    // Steps the state, but writes the direction instead of moving parameters.
    result<> try_direction(span<T> out, span<const T> grads) noexcept {
        if (out.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::direction(get(), out.data(), grads.data(), grads.size()));
    }

    // A step in phases: begin, feed every piece, (partials,) solve, apply or apply_direction every piece, end. Or
    // cancel.
    result<> try_begin() noexcept { return result<>(lmada_begin(get())); }
    result<> try_feed(std::size_t offset, span<const T> grads) noexcept {
        return result<>(api::feed(get(), offset, grads.data(), grads.size()));
    }
    // The sums to add up over processes, in place. They live until solve, cancel, reset or destruction.
    result<span<double>> try_partials() noexcept {
        double* values = nullptr;
        std::size_t count = 0;
        if (result<> outcome(lmada_partials(get(), &values, &count)); !outcome) return outcome;
        return span<double>(values, count);
    }
    result<> try_solve() noexcept { return result<>(lmada_solve(get())); }
    result<> try_apply(std::size_t offset, span<T> params, span<const T> grads) noexcept {
        if (params.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::apply(get(), offset, params.data(), grads.data(), grads.size()));
    }
    // The same, but writes the direction instead of moving parameters.
    result<> try_apply_direction(std::size_t offset, span<T> out, span<const T> grads) noexcept {
        if (out.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::apply_direction(get(), offset, out.data(), grads.data(), grads.size()));
    }
    result<> try_end() noexcept { return result<>(lmada_end(get())); }
    result<> try_cancel() noexcept { return result<>(lmada_cancel(get())); }

    // Back to before the first step; the options and the learning rate stay.
    result<> try_reset() noexcept { return result<>(lmada_reset(get())); }
    result<> try_set_lr(double lr) noexcept { return result<>(lmada_set_lr(get(), lr)); }

    // What the last step looked like.
    result<lmada_stats_t> try_stats() const noexcept {
        lmada_stats_t stats{};
        if (result<> outcome(lmada_stats(get(), &stats, sizeof stats)); !outcome) return outcome;
        return stats;
    }

    // Saves the state; a run that loads it goes on with the same bits. A buffer has exactly `state_size` bytes.
    result<std::size_t> try_state_size() const noexcept {
        std::size_t bytes = 0;
        if (result<> outcome(lmada_state_size(get(), &bytes)); !outcome) return outcome;
        return bytes;
    }
    result<> try_save(span<std::byte> buffer) const noexcept {
        return result<>(lmada_state_save(get(), buffer.data(), buffer.size()));
    }
    result<> try_load(span<const std::byte> state) noexcept {
        return result<>(lmada_state_load(get(), state.data(), state.size()));
    }
    // Puts the state together from those that several processes saved, of `bytes` each. `firsts` has for each block, no
    // fewer, how many parameters of it the states hold before this optimizer's share.
    result<> try_load_shares(span<const std::size_t> firsts, span<const void* const> states,
                             span<const std::size_t> bytes) noexcept {
        if (states.size() != bytes.size()) return detail::lengths_differ();
        return result<>(lmada_state_load_shares(get(), firsts.data(), states.data(), bytes.data(), bytes.size()));
    }

#ifdef LMADA_HPP_THROWS
    // The same with lists that fill themselves, which takes memory.
    result<> try_step(const tensor_list<T>& tensors) noexcept {
        return result<>(
            api::step_tensors(get(), tensors.params(), tensors.grads(), tensors.lens(), tensors.size()));
    }
    result<> try_load_shares(span<const std::size_t> firsts, const state_list& states) noexcept {
        return result<>(
            lmada_state_load_shares(get(), firsts.data(), states.states(), states.bytes(), states.size()));
    }
    result<> try_load_shares(std::initializer_list<std::size_t> firsts, const state_list& states) noexcept {
        return try_load_shares(span<const std::size_t>(firsts.begin(), firsts.size()), states);
    }

    // Each of these is its `try_` form that throws `error` where it fails.
    explicit optimizer(std::size_t dim, const config& options = {}) : optimizer(try_create(dim, options).value()) {}
    static optimizer create_blocks(span<const std::size_t> dims, const config& options = {}) {
        return try_create_blocks(dims, options).value();
    }
    static optimizer create_blocks(std::initializer_list<std::size_t> dims, const config& options = {}) {
        return try_create_blocks(dims, options).value();
    }

    void step(span<T> params, span<const T> grads) { try_step(params, grads).value(); }
    void step(const tensor_list<T>& tensors) { try_step(tensors).value(); }
    void direction(span<T> out, span<const T> grads) { try_direction(out, grads).value(); }

    void begin() { try_begin().value(); }
    void feed(std::size_t offset, span<const T> grads) { try_feed(offset, grads).value(); }
    span<double> partials() { return try_partials().value(); }
    void solve() { try_solve().value(); }
    void apply(std::size_t offset, span<T> params, span<const T> grads) { try_apply(offset, params, grads).value(); }
    void apply_direction(std::size_t offset, span<T> out, span<const T> grads) {
        try_apply_direction(offset, out, grads).value();
    }
    void end() { try_end().value(); }
    void cancel() { try_cancel().value(); }

    void reset() { try_reset().value(); }
    void set_lr(double lr) { try_set_lr(lr).value(); }
    lmada_stats_t stats() const { return try_stats().value(); }

    std::size_t state_size() const { return try_state_size().value(); }
    void save(span<std::byte> buffer) const { try_save(buffer).value(); }
    std::vector<std::byte> save() const {
        std::vector<std::byte> state(state_size());
        save(state);
        return state;
    }
    void load(span<const std::byte> state) { try_load(state).value(); }
    void load_shares(span<const std::size_t> firsts, const state_list& states) {
        try_load_shares(firsts, states).value();
    }
    void load_shares(std::initializer_list<std::size_t> firsts, const state_list& states) {
        try_load_shares(firsts, states).value();
    }
#endif

    // The C handle, still owned here; NULL after a move or a release.
    lmada_t* get() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    // Gives the handle away: the caller frees it with `lmada_free`.
    [[nodiscard]] lmada_t* release() noexcept { return handle_.release(); }

private:
    explicit optimizer(owner handle) noexcept : handle_(std::move(handle)) {}

    template <class Create>
    static result<optimizer> create(lmada_config_t options, Create call) noexcept {
        options.dtype = api::dtype;
        lmada_t* handle = nullptr;
        if (result<> outcome(call(&options, &handle)); !outcome) return outcome;
        return optimizer(owner(handle));
    }

    owner handle_;
};

}  // namespace lmada

#endif  // LMADA_HPP
