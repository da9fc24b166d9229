// The options and the errors of lmada/torch.hpp. Include lmada/torch.hpp, not this file.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_TORCH_OPTIONS_HPP
#define LMADA_TORCH_OPTIONS_HPP

#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "../lmada.hpp"

namespace lmada::torch {

// A step was refused because the gradient or the update is not finite. Nothing has changed: continue with the next
// batch.
class NonFinite : public ::c10::Error {
    using ::c10::Error::Error;
};

namespace detail {

// Throws c10::Error after a failed call.
inline void check(lmada_status_t status) {
    if (status == LMADA_OK) return;
    const std::string message = std::string("lmada: ") + lmada_status_string(status) + ": " + lmada_last_error();
    if (status == LMADA_ERROR_NON_FINITE) throw NonFinite({__func__, __FILE__, __LINE__}, message);
    TORCH_CHECK(false, message);
}

// Calls `visit` with the name and the member of every option except the element type, which the tensors determine.
template <class Visit>
void for_each_option(Visit visit) {
    // options: generated from src/config.rs by `make option-lists`
    visit("history_size", &lmada_config_t::history_size);
    visit("history_format", &lmada_config_t::history_format);
    visit("density", &lmada_config_t::density);
    visit("lr", &lmada_config_t::lr);
    visit("eps", &lmada_config_t::eps);
    visit("eps_relative", &lmada_config_t::eps_relative);
    visit("power", &lmada_config_t::power);
    visit("eps_on_root", &lmada_config_t::eps_on_root);
    visit("rank_tol", &lmada_config_t::rank_tol);
    visit("centered", &lmada_config_t::centered);
    visit("history_decay", &lmada_config_t::history_decay);
    visit("orthogonal_scale", &lmada_config_t::orthogonal_scale);
    visit("momentum_kind", &lmada_config_t::momentum_kind);
    visit("momentum", &lmada_config_t::momentum);
    visit("bias_correction", &lmada_config_t::bias_correction);
    visit("clip_kind", &lmada_config_t::clip_kind);
    visit("clip_norm", &lmada_config_t::clip_norm);
    visit("clip_factor", &lmada_config_t::clip_factor);
    visit("clip_beta", &lmada_config_t::clip_beta);
    visit("weight_decay", &lmada_config_t::weight_decay);
    visit("threads", &lmada_config_t::threads);
    visit("diagonal_beta", &lmada_config_t::diagonal_beta);
    visit("diagonal_eps", &lmada_config_t::diagonal_eps);
    visit("grad_scale", &lmada_config_t::grad_scale);
    visit("grad_clip_norm", &lmada_config_t::grad_clip_norm);
    visit("average_beta", &lmada_config_t::average_beta);
    // options: end
}

}  // namespace detail

// The options of a parameter group: the fields of lmada_config_t, documented in lmada.h, and `frozen`.
class LMAdagradOptions : public ::torch::optim::OptimizerCloneableOptions<LMAdagradOptions> {
public:
    // The library's defaults, from lmada_config_init.
    LMAdagradOptions(double lr = 1e-2) { config_.lr = lr; }
    // The options that trained best in the library's own measurements, which include networks. lr (0.01) is on Adam's
    // scale.
    static LMAdagradOptions recommended() {
        LMAdagradOptions options;
        options.config_ = lmada::config::recommended();
        return options;
    }

    // Defines the setters and getters of TORCH_ARG, for a field of config_.
#define LMADA_TORCH_ARG(name)                                                             \
    auto name(const decltype(lmada_config_t::name)& new_##name) -> decltype(*this) {      \
        config_.name = new_##name;                                                        \
        return *this;                                                                     \
    }                                                                                     \
    const decltype(lmada_config_t::name)& name() const noexcept { return config_.name; } \
    decltype(lmada_config_t::name)& name() noexcept { return config_.name; }
    // options: generated from src/config.rs by `make option-lists`
    LMADA_TORCH_ARG(history_size)
    LMADA_TORCH_ARG(history_format)
    LMADA_TORCH_ARG(density)
    LMADA_TORCH_ARG(lr)
    LMADA_TORCH_ARG(eps)
    LMADA_TORCH_ARG(eps_relative)
    LMADA_TORCH_ARG(power)
    LMADA_TORCH_ARG(eps_on_root)
    LMADA_TORCH_ARG(rank_tol)
    LMADA_TORCH_ARG(centered)
    LMADA_TORCH_ARG(history_decay)
    LMADA_TORCH_ARG(orthogonal_scale)
    LMADA_TORCH_ARG(momentum_kind)
    LMADA_TORCH_ARG(momentum)
    LMADA_TORCH_ARG(bias_correction)
    LMADA_TORCH_ARG(clip_kind)
    LMADA_TORCH_ARG(clip_norm)
    LMADA_TORCH_ARG(clip_factor)
    LMADA_TORCH_ARG(clip_beta)
    LMADA_TORCH_ARG(weight_decay)
    LMADA_TORCH_ARG(threads)
    LMADA_TORCH_ARG(diagonal_beta)
    LMADA_TORCH_ARG(diagonal_eps)
    LMADA_TORCH_ARG(grad_scale)
    LMADA_TORCH_ARG(grad_clip_norm)
    LMADA_TORCH_ARG(average_beta)
    // options: end
#undef LMADA_TORCH_ARG

    // If true, the parameters keep their bits, and their gradient counts as zeros in the window.
    TORCH_ARG(bool, frozen) = false;

public:
    const lmada_config_t& config() const noexcept { return config_; }

    double get_lr() const override { return lr(); }
    void set_lr(const double lr) override { config_.lr = lr; }

    void serialize(::torch::serialize::OutputArchive& archive) const override {
        detail::for_each_option([&](const char* name, auto member) {
            using value = std::decay_t<decltype(config_.*member)>;
            constexpr bool whole = std::is_integral_v<value> && !std::is_same_v<value, bool>;
            using stored = std::conditional_t<whole, std::int64_t, value>;
            archive.write(name, ::torch::IValue(static_cast<stored>(config_.*member)));
        });
        archive.write("frozen", ::torch::IValue(frozen()));
    }
    // If an older archive lacks an option, the option keeps its value.
    void serialize(::torch::serialize::InputArchive& archive) override {
        ::torch::IValue stored;
        detail::for_each_option([&](const char* name, auto member) {
            auto& value = config_.*member;
            if (!archive.try_read(name, stored)) return;
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
                value = stored.toDouble();
            } else if constexpr (std::is_same_v<std::decay_t<decltype(value)>, bool>) {
                value = stored.toBool();
            } else {
                value = static_cast<std::decay_t<decltype(value)>>(stored.toInt());
            }
        });
        if (archive.try_read("frozen", stored)) frozen(stored.toBool());
    }

    friend bool operator==(const LMAdagradOptions& a, const LMAdagradOptions& b) {
        bool equal = a.frozen() == b.frozen();
        detail::for_each_option([&](const char*, auto member) { equal &= a.config_.*member == b.config_.*member; });
        return equal;
    }

private:
    lmada::config config_;
};

}  // namespace lmada::torch

#endif  // LMADA_TORCH_OPTIONS_HPP
