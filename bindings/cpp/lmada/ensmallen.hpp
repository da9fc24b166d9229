// lmada for ensmallen: an update policy for ens::SGD and optimizers built on ens::SGD.
//
//     ens::SGD<lmada::ensmallen::LMAdagradUpdate> optimizer(0.01, 32, 100000, 1e-5, true,
//                                                           lmada::ensmallen::LMAdagradUpdate(options));
//     optimizer.Optimize(function, coordinates);
//
// Coordinates are arma::mat, arma::fmat or vectors. The learning rate is the step size that ensmallen passes. ens::SGD
// of ensmallen 3 divides this step size by the number of points in the batch. `lr` of the options has no effect. If a
// call fails, Optimize throws lmada::error, and the coordinates are those before the step.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LMADA_ENSMALLEN_HPP
#define LMADA_ENSMALLEN_HPP

#include <armadillo>

#include <cstddef>
#include <type_traits>

#include "../lmada.hpp"

namespace lmada::ensmallen {

class LMAdagradUpdate {
public:
    explicit LMAdagradUpdate(const lmada::config& options = {}) : options_(options) {}

    const lmada::config& Options() const { return options_; }
    // Changes take effect at the next Optimize that resets the policy.
    lmada::config& Options() { return options_; }

    // The optimizer of one optimization. ensmallen makes the policy at the start, with the shape of the coordinates.
    template <class MatType, class GradType>
    class Policy {
        using ElemType = typename MatType::elem_type;
        static_assert(std::is_base_of_v<arma::Mat<ElemType>, MatType>, "coordinates are dense matrices of Armadillo");

    public:
        Policy(const LMAdagradUpdate& parent, const std::size_t rows, const std::size_t cols)
            : optimizer_(rows * cols, parent.Options()) {}

        void Update(MatType& iterate, const double stepSize, const GradType& gradient) {
            if (stepSize != rate_) optimizer_.set_lr(stepSize);
            rate_ = stepSize;
            if constexpr (std::is_base_of_v<arma::Mat<ElemType>, GradType>) {
                step(iterate, gradient);
            } else {
                step(iterate, arma::Mat<ElemType>(gradient));
            }
        }

        // For statistics, and to save and load the state.
        lmada::optimizer<ElemType>& Optimizer() { return optimizer_; }

    private:
        void step(arma::Mat<ElemType>& iterate, const arma::Mat<ElemType>& gradient) {
            optimizer_.step({iterate.memptr(), iterate.n_elem}, {gradient.memptr(), gradient.n_elem});
        }

        lmada::optimizer<ElemType> optimizer_;
        double rate_ = -1;  // none yet
    };

private:
    lmada::config options_;
};

}  // namespace lmada::ensmallen

#endif  // LMADA_ENSMALLEN_HPP
