// The parameters of lmada/torch.hpp that share a preconditioner. Include lmada/torch.hpp, not this file.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_TORCH_PART_HPP
#define LMADA_TORCH_PART_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "torch_options.hpp"

namespace lmada::torch::detail {

using ::torch::Tensor;

// Throws if the handle cannot read a parameter or gradient: it must be a dense CPU tensor of this type.
inline void check_tensor(const char* what, const Tensor& tensor, ::torch::ScalarType type) {
    TORCH_CHECK(tensor.layout() == ::torch::kStrided, "lmada: a ", what, " is not dense: ", tensor.layout());
    TORCH_CHECK(tensor.device().is_cpu(), "lmada: a ", what, " is on ", tensor.device(),
                "; steps are taken on the CPU only");
    TORCH_CHECK(tensor.scalar_type() == type, "lmada: a ", what, " is ", tensor.scalar_type(),
                " among parameters of ", type, "; use an optimizer for each type");
}

inline std::size_t length(const Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

// Parameters that share a preconditioner, and the handle. A step is `look`, `step`, `finish`. A step in phases is
// `look` for all parts, `feed` for all, `solve` for all, `apply` for all, `finish` for all.
class Part {
public:
    std::vector<Tensor> params;
    std::vector<const LMAdagradOptions*> options;  // of each parameter's group; NULL: in no group now

    // Makes the handle. `params` and `options` must be filled.
    void create() {
        type_ = params[0].scalar_type();
        const bool known = type_ == ::torch::kFloat || type_ == ::torch::kDouble || type_ == ::torch::kBFloat16;
        TORCH_CHECK(known, "lmada: parameters are float, double or bfloat16, not ", type_);
        std::size_t dim = 0;
        for (const Tensor& param : params) {
            check_tensor("parameter", param, type_);
            TORCH_CHECK(!param.is_inference(), "lmada: a parameter is an inference tensor");
            dim += length(param);
        }
        const lmada::config config = common_options();
        lmada_t* handle = nullptr;
        check(lmada_create(&config, dim, &handle));
        handle_.reset(handle);
    }

    lmada_t* handle() const noexcept { return handle_.get(); }
    bool in_bfloat16() const noexcept { return type_ == ::torch::kBFloat16; }

    // Finds the addresses of parameters and gradients for this step, and sets the handle's options.
    void look() {
        const std::size_t count = params.size();
        contiguous_.assign(count, Tensor());
        grads_.assign(count, Tensor());
        lens_.resize(count);
        masters_.resize(in_bfloat16() ? count : 0);
        seen_.resize(masters_.size());
        for (std::size_t i = 0; i < count; ++i) {
            check_tensor("parameter", params[i], type_);
            contiguous_[i] = dense(params[i]);
            lens_[i] = length(params[i]);
            if (in_bfloat16()) look_at_master(i);
            const Tensor& grad = params[i].grad();
            if (!grad.defined() || !options[i] || options[i]->frozen()) continue;
            check_tensor("gradient", grad, type_);
            TORCH_CHECK(length(grad) == lens_[i], "lmada: a gradient has another length than its parameter");
            grads_[i] = dense(grad);
        }
        set_options();
    }

    // Takes the step in one call. Not for bfloat16, which has to step in phases.
    void step() { type_ == ::torch::kDouble ? step_tensors<double>() : step_tensors<float>(); }

    void feed() {
        check(lmada_begin(handle()));
        open_ = true;
        for_each_piece([this](std::size_t, std::size_t offset, const Tensor& grad, std::size_t len) {
            if (type_ == ::torch::kDouble) return lmada_feed_f64(handle(), offset, address<double>(grad), len);
            if (type_ == ::torch::kFloat) return lmada_feed(handle(), offset, address<float>(grad), len);
            return lmada_feed_bf16(handle(), offset, address<std::uint16_t>(grad), len);
        });
    }
    void solve() { check(lmada_solve(handle())); }
    void apply() {
        for_each_piece([this](std::size_t i, std::size_t offset, const Tensor& grad, std::size_t len) {
            const Tensor& param = contiguous_[i];
            if (type_ == ::torch::kDouble) {
                return lmada_apply_f64(handle(), offset, address<double>(param), address<double>(grad), len);
            }
            if (type_ == ::torch::kFloat) {
                return lmada_apply(handle(), offset, address<float>(param), address<float>(grad), len);
            }
            return lmada_apply_bf16(handle(), offset, address<float>(masters_[i]), address<std::uint16_t>(param),
                                    address<std::uint16_t>(grad), len);
        });
        check(lmada_end(handle()));
        open_ = false;
    }
    // Drops an open step in phases, after any part has refused.
    void cancel() noexcept {
        if (open_) static_cast<void>(lmada_cancel(handle()));
        open_ = false;
    }

    // Writes contiguous copies back to their parameters, and tells autograd that parameters have changed.
    void finish() {
        for (std::size_t i = 0; i < params.size(); ++i) {
            if (grads_[i].defined() && contiguous_[i].data_ptr() != params[i].data_ptr()) {
                params[i].copy_(contiguous_[i]);
            } else if (grads_[i].defined()) {
                params[i].unsafeGetTensorImpl()->bump_version();
            }
            if (in_bfloat16()) seen_[i] = seen_now(i);
        }
        contiguous_.clear();
        grads_.clear();
    }

    void save(::torch::serialize::OutputArchive& archive) const {
        std::size_t bytes = 0;
        check(lmada_state_size(handle(), &bytes));
        const Tensor state = ::torch::empty({static_cast<std::int64_t>(bytes)}, ::torch::kByte);
        check(lmada_state_save(handle(), state.data_ptr(), bytes));
        archive.write("state", state);
        archive.write("lens", ::torch::IValue(lengths()));
        for (std::size_t i = 0; i < masters_.size(); ++i) archive.write("master_" + std::to_string(i), masters_[i]);
    }
    // Makes the handle from an archive. `params` must be filled.
    void load(::torch::serialize::InputArchive& archive) {
        Tensor state;
        archive.read("state", state);
        auto read = lmada::detail::from_bytes({static_cast<const std::byte*>(state.data_ptr()), state.nbytes()});
        lmada::detail::reader<decltype(read)> reader(read);
        lmada_t* handle = nullptr;
        check(lmada_create_from_state(&reader.run, &reader, &handle));
        handle_.reset(handle);
        lmada::config saved;
        check(lmada_get_config(handle, &saved, sizeof(lmada_config_t)));
        type_ = params[0].scalar_type();
        const lmada_dtype_t wanted = type_ == ::torch::kDouble ? LMADA_F64 : LMADA_F32;
        TORCH_CHECK(saved.dtype == wanted, "lmada: the archive is of parameters of another type than ", type_);
        ::torch::IValue lens;
        archive.read("lens", lens);
        TORCH_CHECK(lens.toIntVector() == lengths(), "lmada: the archive is of parameters of other lengths");
        if (!in_bfloat16()) return;
        masters_.resize(params.size());
        for (std::size_t i = 0; i < masters_.size(); ++i) {
            archive.read("master_" + std::to_string(i), masters_[i]);
            const bool fits = masters_[i].scalar_type() == ::torch::kFloat && masters_[i].sizes() == params[i].sizes();
            TORCH_CHECK(fits, "lmada: the archive is of parameters of another shape or type");
        }
    }

private:
    std::vector<std::int64_t> lengths() const {
        std::vector<std::int64_t> lens;
        for (const Tensor& param : params) lens.push_back(param.numel());
        return lens;
    }

    template <class T>
    static T* address(const Tensor& tensor) {
        return static_cast<T*>(tensor.data_ptr());
    }

    static Tensor dense(const Tensor& tensor) {
        if (tensor.is_contiguous() && !tensor.is_neg()) return tensor;
        TORCH_WARN_ONCE("lmada: a parameter or gradient is not contiguous; it is copied in every step");
        return tensor.resolve_neg().contiguous();
    }

    // If the program has written a bfloat16 parameter since the last step, updates the elements of the float copy that
    // differ.
    void look_at_master(std::size_t i) {
        const Tensor& param = contiguous_[i];
        if (!masters_[i].defined()) {
            masters_[i] = param.to(::torch::kFloat);
        } else if (seen_[i] != seen_now(i)) {
            const Tensor kept = masters_[i].to(::torch::kBFloat16) == param;
            masters_[i] = ::torch::where(kept, masters_[i], param.to(::torch::kFloat));
        }
    }
    std::pair<std::int64_t, const void*> seen_now(std::size_t i) const {
        return {static_cast<std::int64_t>(params[i]._version()), params[i].data_ptr()};
    }

    // The handle's options: the common options of the groups, and the largest learning rate and weight decay of all
    // groups. The handle's groups (lmada_group_t) reduce these two.
    lmada::config common_options() const {
        const LMAdagradOptions* first = nullptr;
        const LMAdagradOptions* last = nullptr;
        double lr = 0;
        double decay = 0;
        for (const LMAdagradOptions* own : options) {
            if (!own || own == last) continue;
            last = own;
            if (!first) first = own;
            TORCH_CHECK(own->lr() >= 0, "lmada: a learning rate is a number >= 0, not ", own->lr());
            TORCH_CHECK(own->weight_decay() >= 0, "lmada: a weight decay is a number >= 0, not ", own->weight_decay());
            if (!own->frozen()) lr = std::max(lr, own->lr());
            if (!own->frozen()) decay = std::max(decay, own->weight_decay());
            for_each_option([&](const char* name, auto member) {
                const bool free = member_is(member, &lmada_config_t::lr) ||
                                  member_is(member, &lmada_config_t::weight_decay);
                TORCH_CHECK(free || own->config().*member == first->config().*member, "lmada: groups differ in ", name,
                            "; they may differ in lr, weight_decay and frozen only");
            });
        }
        lmada::config common;
        if (first) static_cast<lmada_config_t&>(common) = first->config();
        common.lr = lr;
        common.weight_decay = decay;
        common.dtype = type_ == ::torch::kDouble ? LMADA_F64 : LMADA_F32;
        return common;
    }
    template <class Member>
    static bool member_is(Member a, double lmada_config_t::*b) {
        if constexpr (std::is_same_v<Member, double lmada_config_t::*>) return a == b;
        return false;
    }

    void set_options() {
        const lmada::config wanted = common_options();
        std::vector<lmada_group_t> groups;
        std::size_t offset = 0;
        for (std::size_t i = 0; i < params.size(); offset += lens_[i], ++i) {
            double rate = 0;  // without a gradient: frozen
            double decay = 1;
            if (grads_[i].defined()) {
                rate = wanted.lr > 0 ? options[i]->lr() / wanted.lr : 1;
                decay = wanted.weight_decay > 0 ? options[i]->weight_decay() / wanted.weight_decay : 1;
            }
            if (lens_[i] == 0 || (rate == 1 && decay == 1)) continue;
            lmada_group_t* const before = groups.empty() ? nullptr : &groups.back();
            if (before && before->offset + before->len == offset && before->lr_scale == rate &&
                before->weight_decay_scale == decay) {
                before->len += lens_[i];
            } else {
                groups.push_back({offset, lens_[i], rate, decay});
            }
        }
        bool same = set_.has_value();
        for_each_option([&](const char*, auto member) { same = same && (*set_).*member == wanted.*member; });
        if (!same) check(lmada_set_config(handle(), &wanted));
        set_ = wanted;
        if (groups_ && equal(*groups_, groups)) return;
        groups_.reset();
        check(lmada_set_groups(handle(), groups.data(), sizeof(lmada_group_t), groups.size()));
        groups_ = std::move(groups);
    }
    static bool equal(const std::vector<lmada_group_t>& a, const std::vector<lmada_group_t>& b) {
        const auto same = [](const lmada_group_t& x, const lmada_group_t& y) {
            return x.offset == y.offset && x.len == y.len && x.lr_scale == y.lr_scale &&
                   x.weight_decay_scale == y.weight_decay_scale;
        };
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
    }

    template <class T>
    void step_tensors() {
        std::vector<T*> to;
        std::vector<const T*> from;
        for (const Tensor& param : contiguous_) to.push_back(address<T>(param));
        for (const Tensor& grad : grads_) from.push_back(grad.defined() ? address<T>(grad) : nullptr);
        check(lmada::detail::api<T>::step_tensors(handle(), to.data(), from.data(), lens_.data(), lens_.size()));
    }

    // Calls `call` with the number of each parameter, its offset, its gradient and its length. If there is no gradient,
    // passes zeros, which the library does not read, since set_options has frozen the parameter.
    template <class Call>
    void for_each_piece(Call call) {
        std::size_t offset = 0;
        for (std::size_t i = 0; i < lens_.size(); offset += lens_[i], ++i) {
            if (lens_[i] == 0) continue;
            if (!grads_[i].defined() && (!zeros_.defined() || length(zeros_) < lens_[i])) {
                zeros_ = ::torch::zeros({static_cast<std::int64_t>(lens_[i])}, params[i].options());
            }
            check(call(i, offset, grads_[i].defined() ? grads_[i] : zeros_, lens_[i]));
        }
    }

    ::torch::ScalarType type_ = ::torch::kFloat;
    std::unique_ptr<lmada_t, lmada::detail::free_handle> handle_;
    std::optional<lmada::config> set_;                   // the handle's options
    std::optional<std::vector<lmada_group_t>> groups_;   // the handle's groups, if known
    std::vector<Tensor> masters_;                        // float copies of bfloat16 parameters
    std::vector<std::pair<std::int64_t, const void*>> seen_;  // their versions and addresses after the last step
    Tensor zeros_;
    bool open_ = false;
    // In the current step: the parameters and gradients, or contiguous copies.
    std::vector<Tensor> contiguous_, grads_;
    std::vector<std::size_t> lens_;
};

}  // namespace lmada::torch::detail

#endif  // LMADA_TORCH_PART_HPP
