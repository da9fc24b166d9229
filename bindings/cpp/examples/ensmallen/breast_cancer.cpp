// Logistic regression on the Breast Cancer Wisconsin (Diagnostic) data, as it comes, with ens::SGD and the update
// policy of lmada.
//
//     breast_cancer data.csv

#include <ensmallen.hpp>

#include <lmada/ensmallen.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

// A function of ensmallen that is a sum over the columns of x.
class logistic_loss {
public:
    logistic_loss(arma::mat x, arma::rowvec y) : x_(std::move(x)), y_(std::move(y)) {}

    std::size_t NumFunctions() const { return x_.n_cols; }
    void Shuffle() {}  // every step takes all points
    double Evaluate(const arma::mat& w, const std::size_t first, const std::size_t count) const {
        const arma::rowvec z = w.t() * x_.cols(first, first + count - 1);
        const arma::rowvec y = y_.cols(first, first + count - 1);
        // log(1 + e^z) - y z, without overflow
        return arma::accu(arma::clamp(z, 0, arma::datum::inf) + arma::log1p(arma::exp(-arma::abs(z))) - y % z);
    }
    void Gradient(const arma::mat& w, const std::size_t first, arma::mat& gradient, const std::size_t count) const {
        const auto x = x_.cols(first, first + count - 1);
        const arma::rowvec y = y_.cols(first, first + count - 1);
        gradient = x * (1 / (1 + arma::exp(-(w.t() * x))) - y).t();
    }
    double EvaluateWithGradient(const arma::mat& w, const std::size_t first, arma::mat& gradient,
                                const std::size_t count) const {
        Gradient(w, first, gradient, count);
        return Evaluate(w, first, count);
    }

private:
    arma::mat x_;
    arma::rowvec y_;
};

// A line of the file is a row of 30 features and the class.
logistic_loss read(const std::string& path) {
    std::ifstream file(path);
    std::string header;
    arma::mat table;
    if (!std::getline(file, header) || !table.load(file, arma::csv_ascii) || table.n_cols != 31) {
        throw std::runtime_error(path + " is not the breast cancer data");
    }
    arma::mat x = table.t();
    const arma::rowvec y = x.row(30);
    x.row(30).ones();  // the offset, in place of the class
    return {x, y};
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 2) throw std::runtime_error("usage: breast_cancer data.csv");
        logistic_loss loss = read(argv[1]);
        const std::size_t points = loss.NumFunctions();
        lmada::config options;
        options.history_size = 32;
        options.momentum_kind = lmada::momentum::window;
        // Every step takes all points; ens::SGD divides the step size by their number.
        const double step_size = 2.0 * static_cast<double>(points);
        arma::mat w(31, 1, arma::fill::zeros);
        ens::SGD<lmada::ensmallen::LMAdagradUpdate> optimizer(step_size, points, 500 * points, 0, false,
                                                              lmada::ensmallen::LMAdagradUpdate(options),
                                                              ens::NoDecay(), false);
        for (int part = 0; part < 4; ++part) {
            optimizer.Optimize(loss, w);
            std::printf("step %d: loss %.4f\n", 500 * (part + 1),
                        loss.Evaluate(w, 0, points) / static_cast<double>(points));
            optimizer.StepSize() *= 0.3;
        }
        return loss.Evaluate(w, 0, points) / static_cast<double>(points) < 0.06 ? 0 : 1;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "breast_cancer: %s\n", failure.what());
        return 1;
    }
}
