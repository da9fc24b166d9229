// A substitute for ensmallen, whose headers no package has: the parts of ens::SGD that the tests and the example use,
// written from its documented protocol for update and decay policies:
//
// - A policy class has a template class Policy<MatType, GradType>.
// - One is made from the policy object, the rows and the columns of the coordinates when Optimize starts. It is kept
//   for the next Optimize if resetPolicy is false.
// - Update(iterate, stepSize, gradient) of the update policy moves the coordinates in place. The step size is divided
//   by the number of points in the batch.
// - Update of the decay policy then changes the step size.

#ifndef LMADA_TESTS_ENSMALLEN_STAND_IN_HPP
#define LMADA_TESTS_ENSMALLEN_STAND_IN_HPP

#include <armadillo>

#include <algorithm>
#include <any>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

namespace ens {

class NoDecay {
public:
    template <class MatType, class GradType>
    class Policy {
    public:
        explicit Policy(const NoDecay&) {}
        void Update(MatType&, double&, const GradType&) {}
    };
};

// Holds a policy whose type only Optimize knows.
class Any {
public:
    template <class T>
    bool Has() const {
        return std::any_cast<std::shared_ptr<T>>(&held_) != nullptr;
    }
    template <class T>
    T& As() {
        return **std::any_cast<std::shared_ptr<T>>(&held_);
    }
    template <class T>
    void Set(T* policy) {
        held_ = std::shared_ptr<T>(policy);
    }

private:
    std::any held_;
};

template <class UpdatePolicyType, class DecayPolicyType = NoDecay>
class SGD {
public:
    SGD(const double stepSize = 0.01, const std::size_t batchSize = 32, const std::size_t maxIterations = 100000,
        const double tolerance = 1e-5, const bool shuffle = true,
        const UpdatePolicyType& updatePolicy = UpdatePolicyType(),
        const DecayPolicyType& decayPolicy = DecayPolicyType(), const bool resetPolicy = true)
        : stepSize_(stepSize), batchSize_(batchSize), maxIterations_(maxIterations), tolerance_(tolerance),
          shuffle_(shuffle), updatePolicy_(updatePolicy), decayPolicy_(decayPolicy), resetPolicy_(resetPolicy) {}

    template <class FunctionType, class MatType>
    typename MatType::elem_type Optimize(FunctionType& function, MatType& iterate) {
        using Elem = typename MatType::elem_type;
        using Base = arma::Mat<Elem>;
        using Update = typename UpdatePolicyType::template Policy<Base, Base>;
        typename DecayPolicyType::template Policy<Base, Base> decay(decayPolicy_);
        if (resetPolicy_ || !inst_.template Has<Update>()) {
            inst_.Set(new Update(updatePolicy_, iterate.n_rows, iterate.n_cols));
        }
        Base gradient(iterate.n_rows, iterate.n_cols);
        const std::size_t functions = function.NumFunctions();
        Elem sum = 0;
        Elem last = std::numeric_limits<Elem>::max();
        std::size_t current = 0;
        for (std::size_t i = 0; i < maxIterations_;) {
            const std::size_t batch = std::min({batchSize_, maxIterations_ - i, functions - current});
            sum += function.EvaluateWithGradient(static_cast<Base&>(iterate), current, gradient, batch);
            inst_.template As<Update>().Update(iterate, stepSize_ / static_cast<double>(batch), gradient);
            decay.Update(iterate, stepSize_, gradient);
            i += batch;
            current += batch;
            if (current < functions) continue;
            if (!std::isfinite(sum) || std::abs(last - sum) < static_cast<Elem>(tolerance_)) return sum;
            if (shuffle_) function.Shuffle();
            if (i == maxIterations_) break;
            last = sum;
            sum = 0;
            current = 0;
        }
        return sum;
    }

    double& StepSize() { return stepSize_; }
    Any& InstUpdatePolicy() { return inst_; }

private:
    double stepSize_;
    std::size_t batchSize_, maxIterations_;
    double tolerance_;
    bool shuffle_;
    UpdatePolicyType updatePolicy_;
    DecayPolicyType decayPolicy_;
    bool resetPolicy_;
    Any inst_;
};

}  // namespace ens

#endif  // LMADA_TESTS_ENSMALLEN_STAND_IN_HPP
