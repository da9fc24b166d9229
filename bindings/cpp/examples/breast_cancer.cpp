// Logistic regression on the Breast Cancer Wisconsin (Diagnostic) data, as it comes: the scales of its 30 features
// differ by a factor of 10^5, which makes it a hard problem for first-order methods. Full-matrix Adagrad learns the
// scales, and the correlations between features, from the gradients.
//
//     breast_cancer [data.csv]
//
// The last lines compare the loss reached with that of gradient descent and of Adagrad's usual diagonal form, each at
// the best of several learning rates, in the same number of steps.

#include <lmada.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int steps = 2000;

struct dataset {
    std::size_t features = 1;  // the last one is the constant 1
    std::vector<double> x;     // one row for each sample
    std::vector<double> y;     // 0 or 1
};

// The first line is "samples,features,class 0,class 1"; a sample is its features and its class.
dataset read(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    std::string line;
    std::getline(file, line);
    std::size_t samples = 0;
    std::size_t features = 0;
    char comma = 0;
    std::istringstream(line) >> samples >> comma >> features;
    dataset data;
    data.features = features + 1;
    while (std::getline(file, line)) {
        std::istringstream row(line);
        double value = 0;
        for (std::size_t i = 0; i < features && row >> value >> comma; ++i) data.x.push_back(value);
        data.x.push_back(1);
        if (row >> value) data.y.push_back(value);
    }
    if (samples == 0 || data.y.size() != samples || data.x.size() != samples * data.features) {
        throw std::runtime_error(path + " is not the breast cancer data");
    }
    return data;
}

struct outcome {
    double loss = 0;
    double accuracy = 0;
};

// Mean loss and accuracy over all samples, and the gradient of the loss.
outcome evaluate(const dataset& data, const std::vector<double>& weights, std::vector<double>& gradient) {
    const double samples = static_cast<double>(data.y.size());
    outcome sum;
    gradient.assign(data.features, 0);
    for (std::size_t i = 0; i < data.y.size(); ++i) {
        const double* x = data.x.data() + i * data.features;
        double z = 0;
        for (std::size_t j = 0; j < data.features; ++j) z += weights[j] * x[j];
        // log(1 + e^z) - y z and its derivative, without overflow
        const double small = std::exp(-std::abs(z));
        const double probability = (z > 0 ? 1 : small) / (1 + small);
        sum.loss += (z > 0 ? z : 0) + std::log1p(small) - data.y[i] * z;
        sum.accuracy += (z > 0) == (data.y[i] > 0.5);
        for (std::size_t j = 0; j < data.features; ++j) gradient[j] += (probability - data.y[i]) * x[j] / samples;
    }
    return {sum.loss / samples, sum.accuracy / samples};
}

// Trains from zero. `step(t, weights, gradient)` moves the weights.
template <class Step>
outcome train(const dataset& data, Step step, int report_every = 0) {
    std::vector<double> weights(data.features, 0);
    std::vector<double> gradient;
    for (int t = 0; t < steps; ++t) {
        const outcome now = evaluate(data, weights, gradient);
        if (report_every > 0 && t % report_every == 0) {
            std::printf("step %4d: loss %.4f, accuracy %.3f\n", t, now.loss, now.accuracy);
        }
        step(t, weights, gradient);
    }
    return evaluate(data, weights, gradient);
}

outcome train_lmada(const dataset& data) {
    lmada::config options;
    options.history_size = 32;
    options.momentum_kind = lmada::momentum::window;
    lmada::optimizer<double> optimizer(data.features, options);
    const auto step = [&](int t, std::vector<double>& weights, const std::vector<double>& gradient) {
        optimizer.set_lr(lmada::schedule(lmada::schedule_kind::linear, 2, static_cast<std::uint64_t>(t + 1), 0, steps));
        optimizer.step(weights, gradient);
    };
    return train(data, step, steps / 10);
}

// The lowest loss over learning rates 10^-8 to 10^1 of a method: `make(rate)` gives its step.
template <class Make>
outcome best_rate(const dataset& data, Make make) {
    outcome best{HUGE_VAL, 0};
    for (int exponent = -8; exponent <= 1; ++exponent) {
        const outcome reached = train(data, make(std::pow(10, exponent)));
        if (reached.loss < best.loss) best = reached;
    }
    return best;
}

outcome train_gradient_descent(const dataset& data) {
    return best_rate(data, [](double rate) {
        return [rate](int, std::vector<double>& weights, const std::vector<double>& gradient) {
            for (std::size_t j = 0; j < weights.size(); ++j) weights[j] -= rate * gradient[j];
        };
    });
}

outcome train_diagonal_adagrad(const dataset& data) {
    return best_rate(data, [&data](double rate) {
        return [rate, sums = std::vector<double>(data.features, 1e-12)](
                   int, std::vector<double>& weights, const std::vector<double>& gradient) mutable {
            for (std::size_t j = 0; j < weights.size(); ++j) {
                sums[j] += gradient[j] * gradient[j];
                weights[j] -= rate * gradient[j] / std::sqrt(sums[j]);
            }
        };
    });
}

void print(const char* name, outcome reached) {
    std::printf("%s: loss %.4f, accuracy %.3f\n", name, reached.loss, reached.accuracy);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const dataset data = read(argc > 1 ? argv[1] : "examples/data/breast_cancer.csv");
        std::printf("%zu samples, %zu weights, %d steps\n", data.y.size(), data.features, steps);
        print("lmada", train_lmada(data));
        print("gradient descent", train_gradient_descent(data));
        print("diagonal Adagrad", train_diagonal_adagrad(data));
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "breast_cancer: %s\n", failure.what());
        return 1;
    }
}
