// lmada for libtorch: an optimizer to use instead of torch::optim::Adam.
//
//     lmada::torch::LMAdagrad optimizer(model->parameters(), lmada::torch::LMAdagradOptions::recommended().lr(0.01));
//     optimizer.zero_grad();
//     loss.backward();
//     optimizer.step();
//
// All parameters of all groups share one preconditioner, which sees how they vary together. Groups may differ in `lr`,
// `weight_decay` and `frozen`; their other options must be equal. Parameters that are added after a step share a second
// preconditioner, and so on. A refused step changes neither the parameters nor the state.
//
// Parameters are dense CPU tensors of one type: float, double or bfloat16. For bfloat16 parameters the optimizer keeps
// a float copy, applies updates to the copy, and writes the rounded copy to the parameters. All failures throw
// c10::Error. A gradient with NaN or infinity throws lmada::torch::NonFinite, which derives from c10::Error: skip this
// batch.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_TORCH_HPP
#define LMADA_TORCH_HPP

#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "torch_options.hpp"
#include "torch_part.hpp"

namespace lmada::torch {

class LMAdagrad : public ::torch::optim::Optimizer {
    using Tensor = ::torch::Tensor;
    using OptimizerParamGroup = ::torch::optim::OptimizerParamGroup;
    using Part = detail::Part;

public:
    explicit LMAdagrad(std::vector<OptimizerParamGroup> param_groups, LMAdagradOptions defaults = {})
        : Optimizer(std::vector<OptimizerParamGroup>(), std::make_unique<LMAdagradOptions>(defaults)) {
        std::uint64_t bytes = 0;  // lmada_memory checks the options like lmada_create
        detail::check(lmada_memory(&defaults.config(), 1, &bytes));
        for (const OptimizerParamGroup& group : param_groups) add_param_group(group);
    }
    explicit LMAdagrad(std::vector<Tensor> params, LMAdagradOptions defaults = {})
        : LMAdagrad(std::vector<OptimizerParamGroup>{OptimizerParamGroup(std::move(params))}, std::move(defaults)) {}

    // Replaces Optimizer::add_param_group. Current libtorch merges the options of a group with the defaults, and drops
    // the options of optimizers that it does not know. Call this function, not the one of a reference to Optimizer.
    void add_param_group(const OptimizerParamGroup& group) {
        Optimizer::add_param_group(group);
        if (group.has_options()) param_groups_.back().set_options(group.options().clone());
    }

    Tensor step(LossClosure closure = nullptr) override {
        ::torch::NoGradGuard no_grad;
        Tensor loss;
        if (closure) {
            ::torch::AutoGradMode with_grad(true);
            loss = closure();
        }
        find_parameters();
        for (Part& part : parts_) part.look();
        if (parts_.size() == 1 && !parts_[0].in_bfloat16()) {
            parts_[0].step();
        } else {
            step_in_phases();
        }
        for (Part& part : parts_) part.finish();
        return loss;
    }

    // The number of preconditioners: none before the first step, then one, and one more after each step before which
    // parameters were added.
    std::size_t preconditioners() const noexcept { return parts_.size(); }
    // The C handle of a preconditioner, for functions that this class lacks. The handle is valid until `load`.
    lmada_t* handle(std::size_t preconditioner = 0) const {
        TORCH_CHECK(preconditioner < parts_.size(), "lmada: there is no preconditioner ", preconditioner, " yet");
        return parts_[preconditioner].handle();
    }
    // Statistics of the last step.
    lmada_stats_t stats(std::size_t preconditioner = 0) const {
        lmada_stats_t stats{};
        detail::check(lmada_stats(handle(preconditioner), &stats, sizeof stats));
        return stats;
    }

    // Saves everything that the next steps depend on: options, window, averages. A run that loads the archive and the
    // parameters continues with the same bits.
    void save(::torch::serialize::OutputArchive& archive) const override {
        archive.write("lmada", ::torch::IValue(layout));
        std::unordered_map<const void*, std::int64_t> numbers;  // of the parameters, through the groups
        archive.write("groups", count(param_groups_.size()));
        for (std::size_t g = 0; g < param_groups_.size(); ++g) {
            ::torch::serialize::OutputArchive saved(archive.compilation_unit());
            options_of(param_groups_[g]).serialize(saved);
            saved.write("params", count(param_groups_[g].params().size()));
            archive.write("group_" + std::to_string(g), saved);
            for (const Tensor& param : param_groups_[g].params()) {
                numbers.emplace(param.unsafeGetTensorImpl(), static_cast<std::int64_t>(numbers.size()));
            }
        }
        archive.write("parts", count(parts_.size()));
        for (std::size_t p = 0; p < parts_.size(); ++p) {
            ::torch::serialize::OutputArchive saved(archive.compilation_unit());
            std::vector<std::int64_t> members;
            for (const Tensor& param : parts_[p].params) {
                const auto found = numbers.find(param.unsafeGetTensorImpl());
                TORCH_CHECK(found != numbers.end(), "lmada: a parameter that took steps is in no group any more");
                members.push_back(found->second);
            }
            saved.write("params", ::torch::IValue(members));
            parts_[p].save(saved);
            archive.write("part_" + std::to_string(p), saved);
        }
    }

    // Loads the state and the options of the groups, including the learning rate, like the optimizers of current
    // libtorch (those of libtorch 1.13 do not load options). A failure changes nothing.
    void load(::torch::serialize::InputArchive& archive) override {
        ::torch::NoGradGuard no_grad;
        ::torch::IValue found;
        TORCH_CHECK(archive.try_read("lmada", found) && found.isInt(), "lmada: the archive holds no LMAdagrad");
        TORCH_CHECK(found.toInt() == layout, "lmada: the archive has layout ", found.toInt(), ", not ", layout);
        TORCH_CHECK(read(archive, "groups") == count(param_groups_.size()),
                    "lmada: the archive has another number of parameter groups");
        std::vector<LMAdagradOptions> options;
        std::vector<Tensor> params;
        for (std::size_t g = 0; g < param_groups_.size(); ++g) {
            const std::vector<Tensor>& own = param_groups_[g].params();
            ::torch::serialize::InputArchive saved;
            archive.read("group_" + std::to_string(g), saved);
            TORCH_CHECK(read(saved, "params") == count(own.size()), "lmada: group ", g,
                        " of the archive has another number of parameters");
            options.emplace_back().serialize(saved);
            params.insert(params.end(), own.begin(), own.end());
        }
        LMAdagrad loaded(std::vector<Tensor>{});
        const std::int64_t parts = read(archive, "parts").toInt();
        for (std::int64_t p = 0; p < parts; ++p) {
            ::torch::serialize::InputArchive saved;
            archive.read("part_" + std::to_string(p), saved);
            Part part;
            for (const std::int64_t number : read(saved, "params").toIntVector()) {
                TORCH_CHECK(number >= 0 && static_cast<std::size_t>(number) < params.size(),
                            "lmada: the archive names a parameter ", number, ", of ", params.size());
                part.params.push_back(params[static_cast<std::size_t>(number)]);
            }
            TORCH_CHECK(!part.params.empty(), "lmada: the archive has a preconditioner without parameters");
            part.load(saved);
            loaded.keep(std::move(part));
        }
        parts_ = std::move(loaded.parts_);
        positions_ = std::move(loaded.positions_);
        for (std::size_t g = 0; g < param_groups_.size(); ++g) {
            param_groups_[g].set_options(std::make_unique<LMAdagradOptions>(options[g]));
        }
    }

private:
    static constexpr std::int64_t layout = 1;  // of the archive

    struct Position {
        std::size_t part, index;
    };

    static ::torch::IValue count(std::size_t number) { return static_cast<std::int64_t>(number); }
    static ::torch::IValue read(::torch::serialize::InputArchive& archive, const std::string& key) {
        ::torch::IValue value;
        archive.read(key, value);
        return value;
    }

    static const LMAdagradOptions& options_of(const OptimizerParamGroup& group) {
        const auto* options = dynamic_cast<const LMAdagradOptions*>(&group.options());
        TORCH_CHECK(options, "lmada: the options of a parameter group are not LMAdagradOptions");
        return *options;
    }

    // Finds the options of each parameter. New parameters become a new part.
    void find_parameters() {
        for (Part& part : parts_) part.options.assign(part.params.size(), nullptr);
        Part added;
        for (const OptimizerParamGroup& group : param_groups_) {
            const LMAdagradOptions& options = options_of(group);
            for (const Tensor& param : group.params()) {
                const auto found = positions_.find(param.unsafeGetTensorImpl());
                if (found != positions_.end()) {
                    parts_[found->second.part].options[found->second.index] = &options;
                } else {
                    added.params.push_back(param);
                    added.options.push_back(&options);
                }
            }
        }
        if (added.params.empty()) return;
        added.create();
        keep(std::move(added));
    }

    void keep(Part part) {
        auto positions = positions_;
        for (std::size_t i = 0; i < part.params.size(); ++i) {
            const auto entry = positions.emplace(part.params[i].unsafeGetTensorImpl(), Position{parts_.size(), i});
            TORCH_CHECK(entry.second, "lmada: a parameter is twice among the optimizer's parameters");
        }
        parts_.push_back(std::move(part));
        positions_ = std::move(positions);
    }

    // Steps several preconditioners, or bfloat16 parameters. No parameter moves before all preconditioners have solved.
    void step_in_phases() {
        try {
            for (Part& part : parts_) part.feed();
            for (Part& part : parts_) part.solve();
            for (Part& part : parts_) part.apply();
        } catch (...) {
            for (Part& part : parts_) part.cancel();
            throw;
        }
    }

    std::vector<Part> parts_;
    std::unordered_map<const void*, Position> positions_;  // by the address of the parameter's TensorImpl
};

}  // namespace lmada::torch

#endif  // LMADA_TORCH_HPP
