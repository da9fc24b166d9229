// lmada for dlib: a solver for dlib::dnn_trainer, and a search strategy for dlib::find_min.
//
//     dlib::dnn_trainer<net_type, lmada::dlib::solver> trainer(net, lmada::dlib::solver(lmada::config::recommended()));
//
//     dlib::find_min(lmada::dlib::search_strategy(), dlib::objective_delta_stop_strategy(1e-9), f, derivative, x, 0);
//
// dlib gives each layer of a network a copy of the solver, so each layer has its own preconditioner. The solver uses
// the trainer's learning rate; `lr` of the options has no effect. A failed call throws lmada::error and does not change
// the layer's parameters.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_DLIB_HPP
#define LMADA_DLIB_HPP

#include <dlib/dnn.h>
#include <dlib/matrix.h>
#include <dlib/serialize.h>

#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../lmada.hpp"

namespace lmada::dlib {

namespace detail {

// The options of an optimizer, and from the first gradient on the optimizer, whose length is not known earlier. Copies
// are independent: a copy continues with the same bits as the original.
template <class T>
class lazy_optimizer {
public:
    explicit lazy_optimizer(const lmada::config& options) : options_(options) {
        if (options.average_beta != 0) {
            throw lmada::error(lmada::status::invalid_argument,
                               "config.average_beta is not 0: dlib moves the parameters, so lmada cannot average them");
        }
        lmada::optimizer<T>::memory(1, options);  // checks the options
    }
    lazy_optimizer(const lazy_optimizer& other) : options_(other.options_) {
        if (other.made_) made_ = from(other.made_->save());
    }
    lazy_optimizer(lazy_optimizer&&) = default;
    lazy_optimizer& operator=(lazy_optimizer other) noexcept {
        options_ = other.options_;
        made_ = std::move(other.made_);
        return *this;
    }
    ~lazy_optimizer() = default;

    const lmada::config& options() const noexcept { return options_; }
    // NULL before the first gradient.
    const lmada::optimizer<T>* get() const noexcept { return made_ ? &*made_ : nullptr; }

    void direction(T* out, const T* grads, std::size_t dim) {
        if (!made_) made_.emplace(dim, options_);
        made_->direction({out, dim}, {grads, dim});
    }

    // Before the first gradient, saves the state of an optimizer of one parameter, which contains the options.
    void save(std::ostream& out) const {
        ::dlib::serialize(made_.has_value(), out);
        const std::vector<std::byte> state = made_ ? made_->save() : lmada::optimizer<T>(1, options_).save();
        ::dlib::serialize(std::string(reinterpret_cast<const char*>(state.data()), state.size()), out);
    }
    static lazy_optimizer load(std::istream& in) {
        bool made = false;
        std::string state;
        ::dlib::deserialize(made, in);
        ::dlib::deserialize(state, in);
        lmada::optimizer<T> saved = from({reinterpret_cast<const std::byte*>(state.data()), state.size()});
        lazy_optimizer loaded(saved.config());
        if (made) loaded.made_ = std::move(saved);
        return loaded;
    }

private:
    static lmada::optimizer<T> from(lmada::span<const std::byte> state) {
        return lmada::optimizer<T>::from_state(lmada::detail::from_bytes(state));
    }

    lmada::config options_;
    std::optional<lmada::optimizer<T>> made_;
};

// The number of a layer's parameters that are biases. They come last and may have their own multipliers.
template <class Layer>
std::size_t biases(const Layer&, std::size_t) {
    return 0;
}
template <unsigned long N>
std::size_t biases(const ::dlib::fc_<N, ::dlib::FC_HAS_BIAS>& layer, std::size_t) {
    return layer.bias_is_disabled() ? 0 : layer.get_num_outputs();
}
template <long N, long R, long C, int Y, int X, int P, int Q>
std::size_t biases(const ::dlib::con_<N, R, C, Y, X, P, Q>& layer, std::size_t) {
    return layer.bias_is_disabled() ? 0 : static_cast<std::size_t>(layer.num_filters());
}
template <long N, long R, long C, int Y, int X, int P, int Q>
std::size_t biases(const ::dlib::cont_<N, R, C, Y, X, P, Q>& layer, std::size_t) {
    return layer.bias_is_disabled() ? 0 : static_cast<std::size_t>(layer.num_filters());
}
template <::dlib::layer_mode mode>
std::size_t biases(const ::dlib::bn_<mode>&, std::size_t all) {
    return all / 2;
}

}  // namespace detail

// A solver that meets the requirements of dlib's EXAMPLE_SOLVER.
class solver {
public:
    explicit solver(const lmada::config& options = {}) : optimizer_(options) {}

    const lmada::config& options() const noexcept { return optimizer_.options(); }
    // The optimizer of this solver's layer; NULL before the first step.
    const lmada::optimizer<float>* optimizer() const noexcept { return optimizer_.get(); }

    // Returns the vector that dlib adds to the parameters of a layer: -rate*(direction + weight_decay*parameters). The
    // multipliers of the layer apply to rate and weight_decay.
    template <class Layer>
    const ::dlib::tensor& operator()(const float learning_rate, const Layer& layer,
                                     const ::dlib::tensor& params_grad) {
        const ::dlib::tensor& params = layer.get_layer_params();
        const std::size_t dim = params_grad.size();
        step_.copy_size(params_grad);
        float* const step = step_.host_write_only();
        optimizer_.direction(step, params_grad.host(), dim);
        const double rate = learning_rate * ::dlib::get_learning_rate_multiplier(layer);
        const double decay = options().weight_decay * ::dlib::get_weight_decay_multiplier(layer);
        const std::size_t weights = dim - detail::biases(layer, dim);
        scale(step, params.host(), 0, weights, rate, decay);
        if (weights < dim) {
            scale(step, params.host(), weights, dim, rate * ::dlib::get_bias_learning_rate_multiplier(layer),
                  decay * ::dlib::get_bias_weight_decay_multiplier(layer));
        }
        return step_;
    }

    friend void serialize(const solver& item, std::ostream& out) {
        ::dlib::serialize(std::string(version), out);
        item.optimizer_.save(out);
    }
    friend void deserialize(solver& item, std::istream& in) {
        std::string found;
        ::dlib::deserialize(found, in);
        if (found != version) throw ::dlib::serialization_error("lmada::dlib::solver: unknown version " + found);
        item.optimizer_ = detail::lazy_optimizer<float>::load(in);
    }
    friend std::ostream& operator<<(std::ostream& out, const solver& item) {
        return out << "lmada: history_size=" << item.options().history_size
                   << ", weight_decay=" << item.options().weight_decay
                   << ", diagonal_beta=" << item.options().diagonal_beta;
    }

private:
    static constexpr const char* version = "lmada_solver_1";

    static void scale(float* step, const float* params, std::size_t from, std::size_t to, double rate, double decay) {
        for (std::size_t i = from; i < to; ++i) {
            const double direction = static_cast<double>(step[i]) + decay * static_cast<double>(params[i]);
            step[i] = static_cast<float>(-rate * direction);
        }
    }

    detail::lazy_optimizer<float> optimizer_;
    ::dlib::resizable_tensor step_;
};

// A search strategy for dlib::find_min: returns the preconditioned gradient, and find_min searches for the length of
// the step. `lr` and `weight_decay` have no effect.
class search_strategy {
public:
    explicit search_strategy(const lmada::config& options = {}) : optimizer_(options) {}

    double get_wolfe_rho() const { return 0.01; }
    double get_wolfe_sigma() const { return 0.9; }
    unsigned long get_max_line_search_iterations() const { return 100; }

    template <class T>
    const ::dlib::matrix<double, 0, 1>& get_next_direction(const T& x, const double, const T& funct_derivative) {
        gradient_ = ::dlib::matrix_cast<double>(funct_derivative);
        direction_.set_size(x.size());
        optimizer_.direction(&direction_(0), &gradient_(0), static_cast<std::size_t>(x.size()));
        // With momentum the direction may point uphill, and then no line search ends: use the gradient instead.
        if (::dlib::dot(direction_, gradient_) > 0) {
            direction_ = -direction_;
        } else {
            direction_ = -gradient_;
        }
        return direction_;
    }

private:
    detail::lazy_optimizer<double> optimizer_;
    ::dlib::matrix<double, 0, 1> gradient_, direction_;
};

}  // namespace lmada::dlib

#endif  // LMADA_DLIB_HPP
