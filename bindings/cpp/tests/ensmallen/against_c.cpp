// Compares lmada::ensmallen::LMAdagradUpdate inside ens::SGD with the equivalent C calls, bit for bit.

#include <ensmallen.hpp>

#include <lmada/ensmallen.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "../check.hpp"

namespace {

using lmada::ensmallen::LMAdagradUpdate;

lmada::config busy_options() {
    lmada::config options;
    options.history_size = 4;
    options.momentum_kind = lmada::momentum::update;
    options.weight_decay = 0.25;
    return options;
}

template <class Mat>
Mat random_matrix(check::noise& noise, arma::uword rows, arma::uword cols) {
    const auto values = noise.vector<typename Mat::elem_type>(rows * cols);
    return Mat(values.data(), rows, cols);
}

// The functions f_i(w) = |w - t_i|^2 / 2, visited in order.
template <class Mat>
class distances {
public:
    explicit distances(std::vector<Mat> targets) : targets_(std::move(targets)) {}

    std::size_t NumFunctions() const { return targets_.size(); }
    void Shuffle() {}
    using elem = typename Mat::elem_type;
    elem Evaluate(const Mat& w, const std::size_t first, const std::size_t count) const {
        elem sum = 0;
        for (std::size_t i = first; i < first + count; ++i) sum += arma::accu(arma::square(w - targets_[i])) / 2;
        return sum;
    }
    void Gradient(const Mat& w, const std::size_t first, Mat& gradient, const std::size_t count) const {
        gradient = static_cast<elem>(count) * w;
        for (std::size_t i = first; i < first + count; ++i) gradient -= targets_[i];
    }
    elem EvaluateWithGradient(const Mat& w, const std::size_t first, Mat& gradient, const std::size_t count) const {
        Gradient(w, first, gradient, count);
        return Evaluate(w, first, count);
    }

private:
    std::vector<Mat> targets_;
};

// The steps of ens::SGD over all points once, by the C interface.
template <class Mat>
void plain_epoch(lmada_t* opt, Mat& w, const distances<Mat>& function, std::size_t batch, double step_size) {
    for (std::size_t first = 0; first < function.NumFunctions(); first += batch) {
        const std::size_t count = std::min(batch, function.NumFunctions() - first);
        Mat gradient;
        function.Gradient(w, first, gradient, count);
        CHECK(lmada_set_lr(opt, step_size / static_cast<double>(count)) == LMADA_OK);
        if constexpr (std::is_same_v<typename Mat::elem_type, double>) {
            CHECK(lmada_step_f64(opt, w.memptr(), gradient.memptr(), w.n_elem) == LMADA_OK);
        } else {
            CHECK(lmada_step(opt, w.memptr(), gradient.memptr(), w.n_elem) == LMADA_OK);
        }
    }
}

template <class Mat>
bool same(const Mat& a, const Mat& b) {
    return a.n_elem == b.n_elem && std::memcmp(a.memptr(), b.memptr(), a.n_elem * sizeof(a[0])) == 0;
}

template <class Mat>
void sgd_takes_the_steps_of_c() {
    check::noise noise;
    std::vector<Mat> targets;
    for (int i = 0; i < 7; ++i) targets.push_back(random_matrix<Mat>(noise, 30, 20));
    distances<Mat> function(targets);
    lmada_config_t config = busy_options();
    config.dtype = std::is_same_v<Mat, arma::mat> ? LMADA_F64 : LMADA_F32;
    lmada_t* opt = nullptr;
    CHECK(lmada_create(&config, 600, &opt) == LMADA_OK);
    Mat plain = random_matrix<Mat>(noise, 30, 20);
    Mat w = plain;
    // Two epochs, then two more with the policy kept and another step size. Batches are of 3, 3 and 1 points.
    ens::SGD<LMAdagradUpdate> sgd(0.5, 3, 14, 0, false, LMAdagradUpdate(busy_options()), ens::NoDecay(), false);
    for (const double step_size : {0.5, 0.25}) {
        sgd.StepSize() = step_size;
        sgd.Optimize(function, w);
        plain_epoch(opt, plain, function, 3, step_size);
        plain_epoch(opt, plain, function, 3, step_size);
        CHECK(same(w, plain));
    }
    using policy = LMAdagradUpdate::Policy<Mat, Mat>;
    CHECK(sgd.InstUpdatePolicy().template As<policy>().Optimizer().stats().steps == 12);

    // With resetPolicy the second optimization starts with an empty window.
    ens::SGD<LMAdagradUpdate> forgets(0.5, 3, 7, 0, false, LMAdagradUpdate(busy_options()));
    forgets.Optimize(function, w);
    forgets.Optimize(function, w);
    CHECK(forgets.InstUpdatePolicy().template As<policy>().Optimizer().stats().steps == 3);
    lmada_free(opt);
}

void sparse_gradients_are_taken_as_dense_ones() {
    arma::mat w(4, 1, arma::fill::ones);
    arma::sp_mat gradient(4, 1);
    gradient(2, 0) = 5;
    LMAdagradUpdate::Policy<arma::mat, arma::sp_mat> policy(LMAdagradUpdate(), 4, 1);
    policy.Update(w, 0.5, gradient);
    CHECK(w(0) == 1 && w(1) == 1 && w(3) == 1 && std::abs(w(2) - 0.5) < 1e-6);
}

void failures_come_out_and_change_nothing() {
    arma::vec w(3, arma::fill::ones);
    const arma::vec before = w;
    distances<arma::mat> broken({arma::mat(3, 1, arma::fill::value(std::numeric_limits<double>::quiet_NaN()))});
    ens::SGD<LMAdagradUpdate> sgd(0.1, 1, 5, 0, false);
    CHECK_THROWS(sgd.Optimize(broken, w), lmada::status::non_finite, "");
    CHECK(same(w, before));
    lmada::config wrong;
    wrong.eps = -1;
    ens::SGD<LMAdagradUpdate> refused(0.1, 1, 5, 0, false, LMAdagradUpdate(wrong));
    distances<arma::mat> fine({before});
    CHECK_THROWS(refused.Optimize(fine, w), lmada::status::invalid_argument, "config.eps");
}

}  // namespace

int main() {
    sgd_takes_the_steps_of_c<arma::mat>();
    sgd_takes_the_steps_of_c<arma::fmat>();
    sparse_gradients_are_taken_as_dense_ones();
    failures_come_out_and_change_nothing();
}
