// lmada for C++17 and later: limited-memory full-matrix Adagrad.
//
//     lmada::config options;                      // the defaults; or lmada::config::recommended()
//     options.lr = 0.05;
//     lmada::optimizer<float> optimizer(weights.size(), options);
//     optimizer.step(weights, gradient);          // throws lmada::error
//
// Every operation has a variant `try_...` that never throws and returns an `lmada::result`. lmada.h documents each
// operation and its statuses at the C function: `step` is `lmada_step`, and so on. The rules of lmada.h hold: a call
// that fails has changed nothing, and the library keeps no pointer to the caller's arrays.
//
// With -fno-exceptions the header has only the `try_` variants, without everything that allocates (`tensor_list`,
// `state_list`) and without C++ streams. Nothing in the header aborts. The header does not need RTTI.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_HPP
#define LMADA_HPP

#include <lmada.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>

#include "lmada/base.hpp"
#ifdef LMADA_HPP_THROWS
#include <ios>
#include <istream>
#include <ostream>
#endif

namespace lmada {

namespace detail {

struct free_handle {
    void operator()(lmada_t* handle) const noexcept { lmada_free(handle); }
};

}  // namespace detail

// An optimizer of `float` or `double` parameters. Owns its handle; movable, not copyable. After a move or `release`,
// every call on the source returns `status::null_pointer`.
template <class T>
class optimizer {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "parameters are float or double");
    using api = detail::api<T>;
    using owner = std::unique_ptr<lmada_t, detail::free_handle>;

public:
    using value_type = T;

    // The memory that an optimizer of `dim` parameters would hold, in bytes.
    static result<std::uint64_t> try_memory(std::size_t dim, const lmada::config& options = {}) noexcept {
        std::uint64_t bytes = 0;
        const lmada_config_t typed = with_type(options);
        if (result<> outcome(lmada_memory(&typed, dim, &bytes)); !outcome) return outcome;
        return bytes;
    }

    // Makes an optimizer for `dim` parameters.
    static result<optimizer> try_create(std::size_t dim, const lmada::config& options = {}) noexcept {
        return create(options, [dim](const lmada_config_t* c, lmada_t** out) { return lmada_create(c, dim, out); });
    }
    // Makes an optimizer with a preconditioner for each block. Block i has dims[i] parameters; blocks follow each
    // other.
    static result<optimizer> try_create_blocks(span<const std::size_t> dims,
                                               const lmada::config& options = {}) noexcept {
        return create(options, [dims](const lmada_config_t* c, lmada_t** out) {
            return lmada_create_blocks(c, dims.data(), dims.size(), out);
        });
    }
    static result<optimizer> try_create_blocks(std::initializer_list<std::size_t> dims,
                                               const lmada::config& options = {}) noexcept {
        return try_create_blocks(span<const std::size_t>(dims.begin(), dims.size()), options);
    }
    // Makes an optimizer from a saved state, with the configuration, blocks and learning rate of the state. `read` gets
    // pieces `span<std::byte>`, fills each piece and returns whether it succeeded.
    template <class Read, class = detail::if_takes<Read, std::byte>, class Mode = detail::mode>
    static result<optimizer> try_from_state(Read&& read) noexcept {
        detail::reader<Read> callback(read);
        return from_callback(callback);
    }

    // Takes one step: moves `params` against the preconditioned direction of `grads`.
    result<> try_step(span<T> params, span<const T> grads) noexcept {
        if (params.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::step(get(), params.data(), grads.data(), grads.size()));
    }
    // Takes one step of a model in several arrays, without copying them: addresses and lengths of the arrays.
    result<> try_step(span<T* const> params, span<const T* const> grads, span<const std::size_t> lens) noexcept {
        if (params.size() != lens.size() || grads.size() != lens.size()) return detail::lengths_differ();
        return result<>(api::step_tensors(get(), params.data(), grads.data(), lens.data(), lens.size()));
    }
    // Stores the gradient and writes the direction, instead of moving parameters.
    result<> try_direction(span<T> out, span<const T> grads) noexcept {
        if (out.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::direction(get(), out.data(), grads.data(), grads.size()));
    }

    // Takes one step with gradients, and a copy of the parameters, in bfloat16. Only for `optimizer<float>`. `copy` may
    // be empty.
    result<> try_step_bf16(span<T> params, span<std::uint16_t> copy, span<const std::uint16_t> grads) noexcept {
        if (!fit(params, copy, grads)) return detail::lengths_differ();
        return result<>(lmada_step_bf16(get(), params.data(), address(copy), grads.data(), grads.size()));
    }

    // For your own update rules. try_observe stores the gradient in the window without moving parameters.
    // try_precondition preconditions any vector without changing the state.
    result<> try_observe(span<const T> grads) noexcept {
        return result<>(api::observe(get(), grads.data(), grads.size()));
    }
    result<> try_precondition(span<T> out, span<const T> v) noexcept {
        if (out.size() != v.size()) return detail::lengths_differ();
        return result<>(api::precondition(get(), out.data(), v.data(), v.size()));
    }
    // Writes the average of the parameters. Needs `average_beta`.
    result<> try_averaged_params(span<T> out) const noexcept {
        return result<>(api::averaged_params(get(), out.data(), out.size()));
    }

    // A step in phases: begin, feed every piece, (partials,) solve, apply or apply_direction every piece, end. Before
    // the first apply, cancel drops the step.
    result<> try_begin() noexcept { return result<>(lmada_begin(get())); }
    result<> try_feed(std::size_t offset, span<const T> grads) noexcept {
        return result<>(api::feed(get(), offset, grads.data(), grads.size()));
    }
    result<> try_feed_bf16(std::size_t offset, span<const std::uint16_t> grads) noexcept {
        static_assert(std::is_same_v<T, float>, "bfloat16 is for optimizer<float>");
        return result<>(lmada_feed_bf16(get(), offset, grads.data(), grads.size()));
    }
    // The sums to add up over processes, in place. The array is valid until solve, cancel, reset or destruction.
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
    result<> try_apply_bf16(std::size_t offset, span<T> params, span<std::uint16_t> copy,
                            span<const std::uint16_t> grads) noexcept {
        if (!fit(params, copy, grads)) return detail::lengths_differ();
        return result<>(lmada_apply_bf16(get(), offset, params.data(), address(copy), grads.data(), grads.size()));
    }
    // Like apply, but writes the direction instead of moving parameters.
    result<> try_apply_direction(std::size_t offset, span<T> out, span<const T> grads) noexcept {
        if (out.size() != grads.size()) return detail::lengths_differ();
        return result<>(api::apply_direction(get(), offset, out.data(), grads.data(), grads.size()));
    }
    result<> try_end() noexcept { return result<>(lmada_end(get())); }
    result<> try_cancel() noexcept { return result<>(lmada_cancel(get())); }

    // Returns to the state before the first step. Options and learning rate stay.
    result<> try_reset() noexcept { return result<>(lmada_reset(get())); }
    result<> try_set_lr(double lr) noexcept { return result<>(lmada_set_lr(get(), lr)); }
    result<> try_set_grad_scale(double scale) noexcept { return result<>(lmada_set_grad_scale(get(), scale)); }

    // Returns the current options and learning rate; sets the options of the next steps.
    result<lmada::config> try_config() const noexcept {
        lmada::config options;
        if (result<> outcome(lmada_get_config(get(), &options, sizeof(lmada_config_t))); !outcome) return outcome;
        return options;
    }
    result<> try_set_config(const lmada::config& options) noexcept {
        const lmada_config_t typed = with_type(options);
        return result<>(lmada_set_config(get(), &typed));
    }
    // Replaces all parameter groups, for the next steps.
    result<> try_set_groups(span<const group> groups) noexcept {
        return result<>(lmada_set_groups(get(), groups.data(), sizeof(group), groups.size()));
    }
    result<> try_set_groups(std::initializer_list<group> groups) noexcept {
        return try_set_groups(span<const group>(groups.begin(), groups.size()));
    }

    // Statistics of the last step.
    result<lmada_stats_t> try_stats() const noexcept {
        lmada_stats_t stats{};
        if (result<> outcome(lmada_stats(get(), &stats, sizeof stats)); !outcome) return outcome;
        return stats;
    }

    // Saves the state. A run that loads the state continues with the same bits. The buffer must have exactly
    // `state_size` bytes.
    result<std::size_t> try_state_size() const noexcept {
        std::size_t bytes = 0;
        if (result<> outcome(lmada_state_size(get(), &bytes)); !outcome) return outcome;
        return bytes;
    }
    result<> try_save(span<std::byte> buffer) const noexcept {
        return result<>(lmada_state_save(get(), buffer.data(), buffer.size()));
    }
    // Saves the state without a second copy: `write` gets pieces `span<const std::byte>` and returns whether it took
    // each piece.
    template <class Write, class = detail::if_takes<Write, const std::byte>, class Mode = detail::mode>
    result<> try_write(Write&& write) const noexcept {
        detail::writer<Write> callback(write);
        return result<>(lmada_state_write(get(), &callback.run, &callback));
    }
    result<> try_load(span<const std::byte> state) noexcept {
        return result<>(lmada_state_load(get(), state.data(), state.size()));
    }
    // Computes the state from the states that several processes saved; `bytes` has their sizes. firsts[b] is the number
    // of parameters of block b that the states hold before this optimizer's share. `firsts` must have one for each
    // block.
    result<> try_load_shares(span<const std::size_t> firsts, span<const void* const> states,
                             span<const std::size_t> bytes) noexcept {
        if (states.size() != bytes.size()) return detail::lengths_differ();
        return result<>(lmada_state_load_shares(get(), firsts.data(), states.data(), bytes.data(), bytes.size()));
    }

#ifdef LMADA_HPP_THROWS
    // With lists that own their memory.
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

    result<> try_write(std::ostream& out) const noexcept { return try_write(to(out)); }
    static result<optimizer> try_from_state(std::istream& in) noexcept { return try_from_state(from(in)); }

    // Each of these functions is its `try_` variant, but throws `error` on failure.
    explicit optimizer(std::size_t dim, const lmada::config& options = {})
        : optimizer(try_create(dim, options).value()) {}
    static optimizer create_blocks(span<const std::size_t> dims, const lmada::config& options = {}) {
        return try_create_blocks(dims, options).value();
    }
    static optimizer create_blocks(std::initializer_list<std::size_t> dims, const lmada::config& options = {}) {
        return try_create_blocks(dims, options).value();
    }
    static std::uint64_t memory(std::size_t dim, const lmada::config& options = {}) {
        return try_memory(dim, options).value();
    }
    // An exception of `read` or of the stream reaches the caller.
    template <class Read, class = detail::if_takes<Read, std::byte>>
    static optimizer from_state(Read&& read) {
        detail::reader<Read> callback(read);
        result<optimizer> outcome = from_callback(callback);
        callback.rethrow();
        return std::move(outcome).value();
    }
    static optimizer from_state(std::istream& in) { return from_state(from(in)); }

    void step(span<T> params, span<const T> grads) { try_step(params, grads).value(); }
    void step(const tensor_list<T>& tensors) { try_step(tensors).value(); }
    void direction(span<T> out, span<const T> grads) { try_direction(out, grads).value(); }
    void step_bf16(span<T> params, span<std::uint16_t> copy, span<const std::uint16_t> grads) {
        try_step_bf16(params, copy, grads).value();
    }
    void observe(span<const T> grads) { try_observe(grads).value(); }
    void precondition(span<T> out, span<const T> v) { try_precondition(out, v).value(); }
    void averaged_params(span<T> out) const { try_averaged_params(out).value(); }

    void begin() { try_begin().value(); }
    void feed(std::size_t offset, span<const T> grads) { try_feed(offset, grads).value(); }
    void feed_bf16(std::size_t offset, span<const std::uint16_t> grads) { try_feed_bf16(offset, grads).value(); }
    span<double> partials() { return try_partials().value(); }
    void solve() { try_solve().value(); }
    void apply(std::size_t offset, span<T> params, span<const T> grads) { try_apply(offset, params, grads).value(); }
    void apply_bf16(std::size_t offset, span<T> params, span<std::uint16_t> copy,
                    span<const std::uint16_t> grads) {
        try_apply_bf16(offset, params, copy, grads).value();
    }
    void apply_direction(std::size_t offset, span<T> out, span<const T> grads) {
        try_apply_direction(offset, out, grads).value();
    }
    void end() { try_end().value(); }
    void cancel() { try_cancel().value(); }

    void reset() { try_reset().value(); }
    void set_lr(double lr) { try_set_lr(lr).value(); }
    void set_grad_scale(double scale) { try_set_grad_scale(scale).value(); }
    lmada::config config() const { return try_config().value(); }
    void set_config(const lmada::config& options) { try_set_config(options).value(); }
    void set_groups(span<const group> groups) { try_set_groups(groups).value(); }
    void set_groups(std::initializer_list<group> groups) { try_set_groups(groups).value(); }
    lmada_stats_t stats() const { return try_stats().value(); }

    std::size_t state_size() const { return try_state_size().value(); }
    void save(span<std::byte> buffer) const { try_save(buffer).value(); }
    std::vector<std::byte> save() const {
        std::vector<std::byte> state(state_size());
        save(state);
        return state;
    }
    // An exception of `write` or of the stream reaches the caller.
    template <class Write, class = detail::if_takes<Write, const std::byte>>
    void write(Write&& write) const {
        detail::writer<Write> callback(write);
        const result<> outcome(lmada_state_write(get(), &callback.run, &callback));
        callback.rethrow();
        outcome.value();
    }
    void write(std::ostream& out) const { write(to(out)); }
    void load(span<const std::byte> state) { try_load(state).value(); }
    void load_shares(span<const std::size_t> firsts, const state_list& states) {
        try_load_shares(firsts, states).value();
    }
    void load_shares(std::initializer_list<std::size_t> firsts, const state_list& states) {
        try_load_shares(firsts, states).value();
    }
#endif

    // The C handle, which this object still owns. NULL after a move or a release.
    lmada_t* get() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    // Gives up ownership of the handle: the caller frees the handle with `lmada_free`.
    [[nodiscard]] lmada_t* release() noexcept { return handle_.release(); }

private:
    explicit optimizer(owner handle) noexcept : handle_(std::move(handle)) {}

    static lmada_config_t with_type(lmada_config_t options) noexcept {
        options.dtype = api::dtype;
        return options;
    }

    template <class Create>
    static result<optimizer> create(const lmada_config_t& options, Create call) noexcept {
        const lmada_config_t typed = with_type(options);
        lmada_t* handle = nullptr;
        if (result<> outcome(call(&typed, &handle)); !outcome) return outcome;
        return optimizer(owner(handle));
    }

    template <class Callback>
    static result<optimizer> from_callback(Callback& callback) noexcept {
        lmada_t* handle = nullptr;
        if (result<> outcome(lmada_create_from_state(&callback.run, &callback, &handle)); !outcome) return outcome;
        optimizer created{owner(handle)};
        const auto options = created.try_config();
        if (!options) return result<>(options.status(), options.message());
        if (options->dtype != api::dtype) {
            return result<>(status::invalid_argument,
                            std::is_same_v<T, float> ? "the state has the element type double: use optimizer<double>"
                                                     : "the state has the element type float: use optimizer<float>");
        }
        return created;
    }

    // Whether the arrays of a bfloat16 call have the same length.
    static bool fit(span<T> params, span<std::uint16_t> copy, span<const std::uint16_t> grads) noexcept {
        static_assert(std::is_same_v<T, float>, "bfloat16 is for optimizer<float>");
        return params.size() == grads.size() && (copy.empty() || copy.size() == grads.size());
    }
    // The address of the copy; NULL if it is empty.
    static std::uint16_t* address(span<std::uint16_t> copy) noexcept { return copy.empty() ? nullptr : copy.data(); }

#ifdef LMADA_HPP_THROWS
    static auto to(std::ostream& out) noexcept {
        return [&out](span<const std::byte> piece) {
            const void* const bytes = piece.data();
            out.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(piece.size()));
            return out.good();
        };
    }
    static auto from(std::istream& in) noexcept {
        return [&in](span<std::byte> piece) {
            void* const bytes = piece.data();
            in.read(static_cast<char*>(bytes), static_cast<std::streamsize>(piece.size()));
            return in.good();
        };
    }
#endif

    owner handle_;
};

}  // namespace lmada

#endif  // LMADA_HPP
