// Compares lmada::dlib::solver and search_strategy with the equivalent C calls.

#include <dlib/dnn.h>
#include <dlib/optimization.h>

#include <lmada/dlib.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <vector>

#include "../check.hpp"

namespace {

using lmada::dlib::solver;

// The members of a layer that a solver uses.
struct layer {
    dlib::resizable_tensor params;
    const dlib::tensor& get_layer_params() const { return params; }
    double rate = 1, decay = 1;
    double get_learning_rate_multiplier() const { return rate; }
    double get_weight_decay_multiplier() const { return decay; }
};

dlib::resizable_tensor tensor(const std::vector<float>& values) {
    dlib::resizable_tensor made(static_cast<long long>(values.size()));
    std::memcpy(made.host(), values.data(), values.size() * sizeof(float));
    return made;
}

lmada::config busy_options() {
    lmada::config options;
    options.history_size = 5;
    options.momentum_kind = lmada::momentum::update;
    options.clip_kind = lmada::graft::ema_norm;
    options.weight_decay = 0.25;
    return options;
}

// The expected result of the solver, computed from the direction of the C interface.
class plain {
public:
    explicit plain(std::size_t dim) {
        const lmada::config options = busy_options();
        CHECK(lmada_create(&options, dim, &opt_) == LMADA_OK);
    }
    plain(const plain&) = delete;
    plain& operator=(const plain&) = delete;
    ~plain() { lmada_free(opt_); }

    std::vector<float> step(const std::vector<float>& grads, const float* params, double rate, double decay) {
        std::vector<float> out(grads.size());
        CHECK(lmada_direction(opt_, out.data(), grads.data(), grads.size()) == LMADA_OK);
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<float>(-rate * (static_cast<double>(out[i]) + decay * static_cast<double>(params[i])));
        }
        return out;
    }

private:
    lmada_t* opt_ = nullptr;
};

bool same(const dlib::tensor& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.host(), b.data(), b.size() * sizeof(float)) == 0;
}

void steps_are_those_of_c() {
    const std::size_t dim = 5000;
    check::noise noise;
    layer l{tensor(noise.vector<float>(dim)), 0.5, 3};
    solver s(busy_options());
    plain c(dim);
    CHECK(s.optimizer() == nullptr);
    for (int t = 0; t < 8; ++t) {
        const std::vector<float> grads = noise.vector<float>(dim);
        CHECK(same(s(0.125f, l, tensor(grads)), c.step(grads, l.params.host(), 0.125 * 0.5, 0.25 * 3)));
    }
    CHECK(s.optimizer()->stats().steps == 8);

    // A NaN changes nothing, and the next gradient steps as usual.
    std::vector<float> grads = noise.vector<float>(dim);
    std::vector<float> bad = grads;
    bad[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS(s(0.125f, l, tensor(bad)), lmada::status::non_finite, "");
    CHECK(same(s(0.125f, l, tensor(grads)), c.step(grads, l.params.host(), 0.125 * 0.5, 0.25 * 3)));
}

// The biases of dlib's layers have their own multipliers.
void biases_have_their_multipliers() {
    using net_type = dlib::loss_mean_squared<dlib::fc<1, dlib::fc<6, dlib::input<dlib::matrix<float>>>>>;
    net_type net;
    const std::vector<dlib::matrix<float>> x(4, dlib::ones_matrix<float>(3, 1));
    net.compute_loss(x.begin(), x.end(), std::vector<float>{1, 2, 3, 4}.begin());
    auto& details = dlib::layer<2>(net).layer_details();
    details.set_bias_learning_rate_multiplier(0.5);
    details.set_bias_weight_decay_multiplier(0);
    const std::size_t dim = details.get_layer_params().size();
    CHECK(dim == 24);
    check::noise noise;
    const std::vector<float> grads = noise.vector<float>(dim);
    solver s(busy_options());
    const dlib::tensor& step = s(0.125f, details, tensor(grads));
    const float* const params = details.get_layer_params().host();
    const std::vector<float> weights = plain(dim).step(grads, params, 0.125, 0.25);
    const std::vector<float> offsets = plain(dim).step(grads, params, 0.0625, 0);
    for (std::size_t i = 0; i < dim; ++i) CHECK(step.host()[i] == (i < 18 ? weights : offsets)[i]);
    details.disable_bias();
    solver without(busy_options());
    CHECK(same(without(0.125f, details, tensor(grads)), weights));
}

void copies_and_archives_go_on_with_the_same_bits() {
    const std::size_t dim = 40;
    check::noise noise;
    const layer l{tensor(noise.vector<float>(dim))};
    solver original(busy_options());
    for (int before = 0; before < 2; ++before) {  // before the first gradient, and after
        solver copy(original);
        solver assigned;
        assigned = original;
        std::stringstream file;
        serialize(original, file);
        solver loaded;
        deserialize(loaded, file);
        CHECK((loaded.optimizer() == nullptr) == (original.optimizer() == nullptr));
        CHECK(loaded.options().weight_decay == 0.25 && loaded.options().history_size == 5);
        for (int t = 0; t < 3; ++t) {
            const dlib::resizable_tensor grads = tensor(noise.vector<float>(dim));
            const dlib::tensor& wanted = original(0.5f, l, grads);
            const std::vector<float> values(wanted.host(), wanted.host() + dim);
            for (solver* other : {&copy, &assigned, &loaded}) CHECK(same((*other)(0.5f, l, grads), values));
        }
    }
    std::stringstream file;
    dlib::serialize(std::string("sgd2"), file);
    solver other;
    bool refused = false;
    try {
        deserialize(other, file);
    } catch (const dlib::serialization_error&) {
        refused = true;
    }
    CHECK(refused);
    lmada::config wrong;
    wrong.eps = -1;
    CHECK_THROWS(solver(wrong), lmada::status::invalid_argument, "config.eps");
    lmada::config averages;
    averages.average_beta = 0.9;
    CHECK_THROWS(solver(averages), lmada::status::invalid_argument, "config.average_beta");
    std::ostringstream said;
    said << original;
    CHECK(check::contains(said.str().c_str(), "lmada: history_size=5"));
}

// A trainer that is saved and loaded during training gives the result of one that is not.
void a_trainer_is_resumed_with_the_same_bits() {
    using net_type = dlib::loss_mean_squared<dlib::fc<1, dlib::htan<dlib::fc<4, dlib::input<dlib::matrix<float>>>>>>;
    using trainer_type = dlib::dnn_trainer<net_type, solver>;
    check::noise noise;
    std::vector<dlib::matrix<float>> x;
    std::vector<float> y;
    for (int i = 0; i < 20; ++i) {
        const std::vector<float> point = noise.vector<float>(3);
        x.push_back(dlib::mat(point));
        y.push_back(point[0] * point[1] + point[2]);
    }
    const auto train = [&](trainer_type& trainer, int steps) {
        for (int t = 0; t < steps; ++t) trainer.train_one_step(x, y);
        trainer.get_net();
    };
    net_type net;
    trainer_type trainer(net, solver(busy_options()));
    trainer.set_learning_rate(0.01);
    train(trainer, 5);
    std::stringstream file;
    dlib::serialize(net, file);
    serialize(trainer, file);
    net_type resumed_net;
    trainer_type resumed(resumed_net);
    dlib::deserialize(resumed_net, file);
    deserialize(resumed, file);
    train(trainer, 5);
    train(resumed, 5);
    std::size_t stepped = 0;  // one for each fc; the htan between them has no parameters
    for (const solver& own : resumed.get_solvers()) stepped += own.optimizer() && own.optimizer()->stats().steps == 10;
    CHECK(stepped == 2);
    std::stringstream a, b;
    dlib::serialize(net, a);
    dlib::serialize(resumed_net, b);
    CHECK(a.str() == b.str());
}

using column = dlib::matrix<double, 0, 1>;

double rosenbrock(const column& x) {
    return 100 * std::pow(x(1) - x(0) * x(0), 2) + std::pow(1 - x(0), 2);
}
column rosenbrock_derivative(const column& x) {
    column g(2);
    g = -400 * x(0) * (x(1) - x(0) * x(0)) - 2 * (1 - x(0)), 200 * (x(1) - x(0) * x(0));
    return g;
}

void find_min_finds_the_minimum() {
    column x(2);
    x = -1.2, 1;
    dlib::find_min(lmada::dlib::search_strategy(), dlib::gradient_norm_stop_strategy(1e-7, 20000), rosenbrock,
                   rosenbrock_derivative, x, -1);
    CHECK(std::abs(x(0) - 1) < 1e-5 && std::abs(x(1) - 1) < 1e-5);

    // The direction is the negative of the C interface's, or the negative gradient if momentum points uphill.
    lmada::config options;
    options.momentum_kind = lmada::momentum::window;
    options.momentum = 0.99;
    lmada::dlib::search_strategy strategy(options);
    lmada::optimizer<double> plain(2, options);
    std::vector<double> direction(2);
    int uphill = 0;
    for (const double turn : {1.0, 1.0, 1.0, -1.0, 1.0}) {
        column g(2);
        g = turn, turn / 2;
        plain.direction(direction, std::vector<double>{turn, turn / 2});
        const column& next = strategy.get_next_direction(g, 0, g);
        const bool up = direction[0] * g(0) + direction[1] * g(1) <= 0;
        uphill += up;
        for (long i = 0; i < 2; ++i) CHECK(next(i) == (up ? -g(i) : -direction[static_cast<std::size_t>(i)]));
    }
    CHECK(uphill == 1);
}

}  // namespace

int main() {
    steps_are_those_of_c();
    biases_have_their_multipliers();
    copies_and_archives_go_on_with_the_same_bits();
    a_trainer_is_resumed_with_the_same_bits();
    find_min_finds_the_minimum();
}
