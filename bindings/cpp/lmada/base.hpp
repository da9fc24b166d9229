// What lmada.hpp is made of besides the optimizer: statuses, results, spans, options, lists. Include lmada.hpp.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_BASE_HPP
#define LMADA_BASE_HPP

#include <lmada.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define LMADA_HPP_THROWS 1
#include <exception>
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

// The outcome of a call.
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

// The C name of a status, for example "LMADA_ERROR_BUSY".
inline const char* to_string(status value) noexcept {
    return lmada_status_string(static_cast<lmada_status_t>(value));
}

// The version of the linked library, for example "0.1.0".
inline const char* version() noexcept { return lmada_version(); }

#ifdef LMADA_HPP_THROWS
// A failed call. `status()` is the kind of failure; `what()` names the argument and its value.
class error : public std::runtime_error {
public:
    error(lmada::status status, const char* message) : std::runtime_error(message), status_(status) {}
    lmada::status status() const noexcept { return status_; }

private:
    lmada::status status_;
};
#endif

// The return value of a `try_` function: a value, or a status and a message. The library keeps one message for each
// thread: read it on the thread that made the call, before the next failure on this thread.
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

    // The value. Call only after success.
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }
#ifdef LMADA_HPP_THROWS
    // Returns the value, or throws `error` after a failure.
    T value() && {
        result<void>::value();
        return *std::move(value_);
    }
#endif

private:
    std::optional<T> value_;
};

// A view of an array: `std::span` if the standard library has it, otherwise a class with the members that this header
// needs. Containers, arrays and `{pointer, size}` convert to it.
#ifdef __cpp_lib_span
template <class T>
using span = std::span<T>;
#else
template <class T>
class span {
public:
    constexpr span() noexcept = default;
    constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
    // From anything with data and size. The conversion may only add `const` to the elements.
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

// Values of `config::history_format`. All except `full` need `optimizer<float>`. Only `sparse` uses `density`.
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

// The options: the fields of `lmada_config_t`, set to the defaults. The optimizer's type determines `dtype`.
struct config : lmada_config_t {
    config() noexcept : lmada_config_t{} { fill(&lmada_config_init); }

    // The options that trained best in the library's own measurements. They use diagonal preconditioning, which
    // excludes `centered` and the clips by EMA vectors. `lr` is on Adam's scale.
    static config recommended() noexcept {
        config options;
        options.fill(&lmada_config_recommended);
        return options;
    }

private:
    void fill(lmada_status_t (*init)(lmada_config_t*, std::size_t)) noexcept {
        // Fails only if the library is older than this header. `lmada_create` then reports the size.
        if (init(this, sizeof(lmada_config_t)) != LMADA_OK) struct_size = sizeof(lmada_config_t);
    }
};

// A range of parameters with its own factors on learning rate and weight decay. `lr_scale` 0 freezes the range.
struct group : lmada_group_t {
    group(std::size_t first, std::size_t count, double lr_factor = 1, double decay_factor = 1) noexcept
        : lmada_group_t{first, count, lr_factor, decay_factor} {}
    group(const lmada_group_t& range) noexcept : lmada_group_t(range) {}
};
static_assert(sizeof(group) == sizeof(lmada_group_t), "an array of groups is one of lmada_group_t");

// The shape of a learning rate schedule after the warm-up.
enum class schedule_kind : lmada_schedule_t {
    constant = LMADA_SCHEDULE_CONSTANT,
    linear = LMADA_SCHEDULE_LINEAR,
    cosine = LMADA_SCHEDULE_COSINE,
};

// The learning rate of step number `step`, from 1: it rises over `warmup` steps, then is constant or falls to 0 at
// `total`. Returns NaN for arguments out of range.
inline double schedule(schedule_kind kind, double peak, std::uint64_t step, std::uint64_t warmup,
                       std::uint64_t total) noexcept {
    return lmada_schedule(static_cast<lmada_schedule_t>(kind), peak, step, warmup, total);
}

#ifdef LMADA_HPP_THROWS
// A model in several arrays: pairs of parameters and their gradient, in the optimizer's order. The list holds
// addresses. Make it once and use it for every step, as long as the arrays do not move.
template <class T>
class tensor_list {
public:
    void add(span<T> params, span<const T> grads) {
        if (params.size() != grads.size()) {
            throw error(status::dimension_mismatch, "params and grads of a tensor differ in length");
        }
        append(params, grads.data());
    }
    // Adds a tensor without a gradient: the gradient counts as zeros, and the parameters keep their bits, also with
    // weight decay.
    void add(span<T> params, std::nullptr_t) { append(params, nullptr); }

    // Sets the gradient of a tensor, or none, for the next steps.
    void set_grads(std::size_t tensor, span<const T> grads) {
        check(tensor);
        if (grads.size() != lens_[tensor]) {
            throw error(status::dimension_mismatch, "params and grads of a tensor differ in length");
        }
        grads_[tensor] = grads.data();
    }
    void set_grads(std::size_t tensor, std::nullptr_t) {
        check(tensor);
        grads_[tensor] = nullptr;
    }

    std::size_t size() const noexcept { return lens_.size(); }
    T* const* params() const noexcept { return params_.data(); }
    const T* const* grads() const noexcept { return grads_.data(); }
    const std::size_t* lens() const noexcept { return lens_.data(); }

private:
    void append(span<T> params, const T* grads) {
        const std::size_t last = lens_.size();
        params_.resize(last + 1);
        grads_.resize(last + 1);
        params_[last] = params.data();
        grads_[last] = grads;
        lens_.push_back(params.size());  // last, since size() is its length: without memory nothing is added
    }
    void check(std::size_t tensor) const {
        if (tensor >= lens_.size()) throw error(status::invalid_argument, "the list has no tensor of this number");
    }

    std::vector<T*> params_;
    std::vector<const T*> grads_;
    std::vector<std::size_t> lens_;
};

// Saved states of the shares of one model, in their order. The list holds addresses.
class state_list {
public:
    void add(span<const std::byte> state) {
        states_.reserve(states_.size() + 1);  // first, so that without memory nothing is added
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
    static constexpr auto observe = &lmada_observe;
    static constexpr auto precondition = &lmada_precondition;
    static constexpr auto averaged_params = &lmada_averaged_params;
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
    static constexpr auto observe = &lmada_observe_f64;
    static constexpr auto precondition = &lmada_precondition_f64;
    static constexpr auto averaged_params = &lmada_averaged_params_f64;
};

// A part of the names of functions that call callbacks, so that translation units with and without exceptions do not
// share these functions.
#ifdef LMADA_HPP_THROWS
struct throwing;
using mode = throwing;
#else
struct plain;
using mode = plain;
#endif

// Wraps the caller's function for the pieces of a state as a C callback. An exception must not pass through the
// library: `run` catches it, and `rethrow` throws it after the library has returned.
template <class Call, class Byte, class Mode>
class callback {
    using bytes_of_c = std::conditional_t<std::is_const_v<Byte>, const void, void>;

public:
    explicit callback(Call& call) noexcept : call_(call) {}

    // The C callback. `context` is this object.
    static int run(void* context, bytes_of_c* bytes, std::size_t len) noexcept {
        callback& self = *static_cast<callback*>(context);
        const span<Byte> piece(static_cast<Byte*>(bytes), len);
#ifdef LMADA_HPP_THROWS
        try {
            return self.call_(piece) ? 0 : 1;
        } catch (...) {
            self.thrown_ = std::current_exception();
            return 1;
        }
    }

    void rethrow() const {
        if (thrown_) std::rethrow_exception(thrown_);
    }
#else
        return self.call_(piece) ? 0 : 1;
    }
#endif

private:
    Call& call_;
#ifdef LMADA_HPP_THROWS
    std::exception_ptr thrown_;
#endif
};

template <class Call, class Byte>
using if_takes = std::enable_if_t<std::is_invocable_r_v<bool, Call&, span<Byte>>>;

template <class Call>
using writer = callback<std::remove_reference_t<Call>, const std::byte, mode>;
template <class Call>
using reader = callback<std::remove_reference_t<Call>, std::byte, mode>;

// Returns a function that fills pieces, one after the other, from a state in memory. The function returns false if the
// state is too short.
inline auto from_bytes(span<const std::byte> state) noexcept {
    return [state, taken = std::size_t{0}](span<std::byte> piece) mutable noexcept {
        if (state.size() - taken < piece.size()) return false;
        std::memcpy(piece.data(), state.data() + taken, piece.size());
        taken += piece.size();
        return true;
    };
}

inline result<> lengths_differ() noexcept {
    return {status::dimension_mismatch, "the arrays of the call differ in length"};
}

}  // namespace detail

}  // namespace lmada

#endif  // LMADA_BASE_HPP
