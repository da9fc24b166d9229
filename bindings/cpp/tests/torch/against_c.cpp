// Compares lmada::torch::LMAdagrad with the equivalent C calls, bit for bit.

#include <torch/torch.h>

#include <lmada/torch.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

using lmada::torch::LMAdagrad;
using lmada::torch::LMAdagradOptions;
using torch::Tensor;
using Tensors = std::vector<Tensor>;

void check(bool good, const char* what, int line) {
    if (good) return;
    std::fprintf(stderr, "against_c.cpp:%d: failed: %s\n", line, what);
    std::exit(1);
}
#define EXPECT(condition) check(static_cast<bool>(condition), #condition, __LINE__)

// Checks that the call throws a c10::Error of this class, whose message has these words.
template <class Error = c10::Error, class Call>
void refuses(const char* words, int line, Call call) {
    try {
        call();
    } catch (const Error& failure) {
        const bool says = std::string(failure.what()).find(words) != std::string::npos;
        if (!says) std::fprintf(stderr, "%s\n", failure.what());
        return check(says, words, line);
    }
    check(false, words, line);
}

Tensors clones(const Tensors& tensors) {
    Tensors copies;
    for (const Tensor& tensor : tensors) copies.push_back(tensor.detach().clone().contiguous());
    return copies;
}
bool same(const Tensors& a, const Tensors& b) {
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) equal = torch::equal(a[i].detach(), b[i].detach());
    return equal;
}

// Parameters of several shapes, including a scalar and an empty one.
Tensors parameters(torch::ScalarType type, std::uint64_t seed = 1) {
    torch::manual_seed(seed);
    Tensors params;
    for (const auto& shape : std::vector<std::vector<std::int64_t>>{{7, 5}, {5}, {}, {0, 3}, {2, 3, 4}, {4500}}) {
        params.push_back(torch::randn(shape).to(type).set_requires_grad(true));
    }
    return params;
}
void give_gradients(Tensors& params) {
    for (Tensor& param : params) param.mutable_grad() = torch::randn(param.sizes()).to(param.scalar_type());
}

LMAdagradOptions busy_options() {
    return LMAdagradOptions(0.1)
        .history_size(4)
        .momentum_kind(lmada::momentum::update)
        .momentum(0.8)
        .clip_kind(lmada::graft::ema_norm)
        .weight_decay(0.5);
}

// A handle of the C interface that steps copies of tensors.
class Plain {
public:
    Plain(const LMAdagradOptions& options, const Tensors& params) : params_(clones(params)) {
        lmada_config_t config = options.config();
        type_ = params[0].scalar_type();
        config.dtype = type_ == torch::kDouble ? LMADA_F64 : LMADA_F32;
        std::size_t dim = 0;
        for (const Tensor& param : params) dim += static_cast<std::size_t>(param.numel());
        EXPECT(lmada_create(&config, dim, &opt) == LMADA_OK);
        if (type_ != torch::kBFloat16) return;
        for (const Tensor& param : params_) masters.push_back(param.to(torch::kFloat));
    }
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;
    ~Plain() { lmada_free(opt); }

    // With the gradients that `like` has.
    lmada_status_t step(const Tensors& like) {
        if (type_ == torch::kDouble) return run<double>(like, &lmada_step_tensors_f64);
        return run<float>(like, &lmada_step_tensors);
    }

    // In phases, a piece a tensor, in bfloat16.
    void step_bf16(const Tensors& like) {
        std::vector<Tensor> grads;
        for (const Tensor& param : like) grads.push_back(param.grad().contiguous());
        EXPECT(lmada_begin(opt) == LMADA_OK);
        for_each(grads, [&](std::size_t i, std::size_t offset, std::size_t len) {
            return lmada_feed_bf16(opt, offset, static_cast<const std::uint16_t*>(grads[i].data_ptr()), len);
        });
        EXPECT(lmada_solve(opt) == LMADA_OK);
        for_each(grads, [&](std::size_t i, std::size_t offset, std::size_t len) {
            return lmada_apply_bf16(opt, offset, masters[i].data_ptr<float>(),
                                    static_cast<std::uint16_t*>(params_[i].data_ptr()),
                                    static_cast<const std::uint16_t*>(grads[i].data_ptr()), len);
        });
        EXPECT(lmada_end(opt) == LMADA_OK);
    }

    const Tensors& params() const { return params_; }
    lmada_t* opt = nullptr;
    Tensors masters;

private:
    template <class T, class Step>
    lmada_status_t run(const Tensors& like, Step call) {
        std::vector<T*> to;
        std::vector<const T*> from;
        std::vector<std::size_t> lens;
        Tensors held;
        for (std::size_t i = 0; i < like.size(); ++i) {
            const Tensor grad = like[i].grad();
            if (grad.defined()) held.push_back(grad.contiguous());
            to.push_back(params_[i].data_ptr<T>());
            from.push_back(grad.defined() ? held.back().data_ptr<T>() : nullptr);
            lens.push_back(static_cast<std::size_t>(params_[i].numel()));
        }
        return call(opt, to.data(), from.data(), lens.data(), lens.size());
    }
    template <class Call>
    static void for_each(const Tensors& tensors, Call call) {
        std::size_t offset = 0;
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            const auto len = static_cast<std::size_t>(tensors[i].numel());
            EXPECT(call(i, offset, len) == LMADA_OK);
            offset += len;
        }
    }

    Tensors params_;
    torch::ScalarType type_;
};

void steps_are_those_of_c(torch::ScalarType type) {
    Tensors params = parameters(type);
    LMAdagrad optimizer(params, busy_options());
    Plain plain(busy_options(), params);
    for (int step = 0; step < 9; ++step) {
        give_gradients(params);
        if (step % 3 == 1) params[0].mutable_grad() = Tensor();  // undefined: those parameters keep their bits
        const auto version = params[1]._version();
        optimizer.step();
        EXPECT(params[1]._version() > version);
        EXPECT(plain.step(params) == LMADA_OK);
        EXPECT(same(params, plain.params()));
    }
    EXPECT(optimizer.preconditioners() == 1 && optimizer.stats().steps == 9 && optimizer.stats().history_len == 4);
    // Versions of libtorch differ in the gradient after this call.
    optimizer.zero_grad();
    for (const Tensor& param : params) EXPECT(!param.grad().defined() || param.grad().abs().sum().item<double>() == 0);
}

void a_closure_is_called_with_gradients_enabled() {
    Tensor x = torch::full({3}, 2.0).set_requires_grad(true);
    LMAdagrad optimizer({x}, LMAdagradOptions(0.5).eps(0));
    torch::NoGradGuard no_grad;
    const Tensor loss = optimizer.step([&] {
        optimizer.zero_grad();
        const Tensor value = x.square().sum();
        value.backward();
        return value;
    });
    EXPECT(loss.item<double>() == 12);
    // The first direction is the gradient, normalised.
    EXPECT(torch::allclose(x, torch::full({3}, 2 - 0.5 / std::sqrt(3.0))));
}

// Two groups with learning rates that change like those of a scheduler, and a frozen group.
void groups_are_those_of_c() {
    Tensors params = parameters(torch::kFloat);
    const LMAdagradOptions base = busy_options();
    std::vector<torch::optim::OptimizerParamGroup> groups;
    groups.emplace_back(Tensors{params[0], params[1]});
    groups.emplace_back(Tensors{params[2], params[3], params[4]},
                        std::make_unique<LMAdagradOptions>(LMAdagradOptions(base).lr(0.025).weight_decay(0.25)));
    groups.emplace_back(Tensors{params[5]}, std::make_unique<LMAdagradOptions>(LMAdagradOptions(base).frozen(true)));
    LMAdagrad optimizer(groups, base);
    torch::optim::StepLR schedule(optimizer, 2, 0.5);
    Plain plain(base, params);
    const lmada_group_t ranges[] = {{40, 25, 0.25, 0.5}, {65, 4500, 0, 1}};
    EXPECT(lmada_set_groups(plain.opt, ranges, sizeof ranges[0], 2) == LMADA_OK);
    const Tensor frozen = params[5].detach().clone();
    double lr = 0.1;
    for (int step = 0; step < 6; ++step) {
        give_gradients(params);
        optimizer.step();
        EXPECT(lmada_set_lr(plain.opt, lr) == LMADA_OK);
        EXPECT(plain.step(params) == LMADA_OK);
        EXPECT(same(params, plain.params()));
        schedule.step();
        lr = optimizer.param_groups()[0].options().get_lr();
        EXPECT(optimizer.param_groups()[1].options().get_lr() == lr / 4);
    }
    EXPECT(lr < 0.05 && torch::equal(frozen, params[5]));

    // If all learning rates are 0, no group is frozen: the window stores gradients, and no parameter moves.
    for (auto& group : optimizer.param_groups()) group.options().set_lr(0);
    const Tensors before = clones(params);
    optimizer.step();
    EXPECT(same(params, before) && optimizer.stats().lr == 0);
    EXPECT(lmada_set_lr(plain.opt, 0) == LMADA_OK);

    // Options in which groups must not differ.
    static_cast<LMAdagradOptions&>(optimizer.param_groups()[1].options()).eps(0.5);
    refuses("groups differ in eps;", __LINE__, [&] { optimizer.step(); });
    EXPECT(same(params, before));
    // Other options may change between steps, if all groups agree and the library allows it.
    for (auto& group : optimizer.param_groups()) static_cast<LMAdagradOptions&>(group.options()).eps(0.5);
    optimizer.step();
    for (auto& group : optimizer.param_groups()) static_cast<LMAdagradOptions&>(group.options()).history_size(9);
    refuses("history_size", __LINE__, [&] { optimizer.step(); });
}

void bfloat16_has_float_masters() {
    Tensors params = parameters(torch::kBFloat16);
    LMAdagrad optimizer(params, busy_options());
    Plain plain(busy_options(), params);
    for (int step = 0; step < 6; ++step) {
        give_gradients(params);
        if (step == 3) {  // the program writes a part of a parameter
            torch::NoGradGuard no_grad;
            params[5].slice(0, 10, 20).fill_(3);
            plain.masters[5].slice(0, 10, 20).fill_(3);
        }
        if (step == 4) {  // no gradient: as if it were frozen in this step
            params[5].mutable_grad().fill_(std::numeric_limits<float>::quiet_NaN());
            const lmada_group_t range = {65, 4500, 0, 1};
            EXPECT(lmada_set_groups(plain.opt, &range, sizeof range, 1) == LMADA_OK);
            plain.step_bf16(params);
            EXPECT(lmada_set_groups(plain.opt, nullptr, sizeof range, 0) == LMADA_OK);
            params[5].mutable_grad() = Tensor();
        } else {
            plain.step_bf16(params);
        }
        optimizer.step();
        EXPECT(same(params, plain.params()));
    }
    // Steps that are too small for bfloat16 still add up.
    Tensor x = torch::ones({1}).to(torch::kBFloat16).set_requires_grad(true);
    LMAdagrad slow({x}, LMAdagradOptions(1e-4));
    for (int step = 0; step < 100; ++step) {
        x.mutable_grad() = torch::ones_like(x);
        slow.step();
    }
    EXPECT(x.item<float>() < 1);
}

#if TORCH_VERSION_MAJOR >= 2
struct CountingWarnings : c10::WarningHandler {
    void process(const c10::Warning&) override { ++count; }
    int count = 0;
};
using WarningGuard = c10::WarningUtils::WarningHandlerGuard;
#else
struct CountingWarnings : c10::WarningHandler {
    void process(const c10::SourceLocation&, const std::string&, const bool) override { ++count; }
    int count = 0;
};
using WarningGuard = c10::Warning::WarningHandlerGuard;
#endif

void other_layouts_are_copied_with_one_warning() {
    Tensors params = parameters(torch::kFloat);
    LMAdagrad optimizer(params, busy_options());
    const Tensors plain_params = clones(params);
    Plain plain(busy_options(), plain_params);
    params[0].set_data(params[0].detach().t().contiguous().t());
    EXPECT(!params[0].is_contiguous());
    CountingWarnings warnings;
    WarningGuard guard(&warnings);
    for (int step = 0; step < 3; ++step) {
        give_gradients(params);
        params[4].mutable_grad() = torch::randn({4, 3, 2}).permute({2, 1, 0});
        optimizer.step();
        EXPECT(plain.step(params) == LMADA_OK);
        EXPECT(same(params, plain.params()));
    }
    EXPECT(warnings.count == 1 && !params[0].is_contiguous());
}

// Parameters that are added later have their own handle. A step moves all parameters or none.
void added_parameters_share_a_second_preconditioner() {
    Tensors first = parameters(torch::kFloat);
    Tensors second = parameters(torch::kFloat, 2);
    LMAdagrad optimizer(first, busy_options());
    Plain plain(busy_options(), first);
    give_gradients(first);
    optimizer.step();
    EXPECT(plain.step(first) == LMADA_OK);
    optimizer.add_param_group(torch::optim::OptimizerParamGroup(second));
    Plain plain_second(busy_options(), second);
    for (int step = 0; step < 4; ++step) {
        give_gradients(first);
        give_gradients(second);
        if (step == 2) {
            second[1].mutable_grad()[3] = std::numeric_limits<float>::infinity();
            const Tensors before = clones(first);
            refuses<lmada::torch::NonFinite>("LMADA_ERROR_NON_FINITE", __LINE__, [&] { optimizer.step(); });
            EXPECT(same(first, before));
            continue;
        }
        if (step == 3) second[0].mutable_grad() = Tensor();
        optimizer.step();
        EXPECT(plain.step(first) == LMADA_OK && plain_second.step(second) == LMADA_OK);
        // A step in phases sums the tensors in another order than one call.
        for (std::size_t i = 0; i < first.size(); ++i) {
            EXPECT(torch::allclose(first[i], plain.params()[i], 1e-5, 1e-6));
            EXPECT(torch::allclose(second[i], plain_second.params()[i], 1e-5, 1e-6));
        }
        EXPECT(step != 3 || torch::equal(second[0], plain_second.params()[0]));
    }
    EXPECT(optimizer.preconditioners() == 2 && optimizer.stats(0).steps == 4 && optimizer.stats(1).steps == 3);
    refuses("no preconditioner 2", __LINE__, [&] { optimizer.handle(2); });
}

void a_loaded_optimizer_goes_on_with_the_same_bits(torch::ScalarType type) {
    Tensors params = parameters(type);
    Tensors added = {torch::randn({6}).to(type).set_requires_grad(true)};
    LMAdagrad optimizer(params, busy_options());
    give_gradients(params);
    optimizer.step();
    optimizer.add_param_group(
        torch::optim::OptimizerParamGroup(added, std::make_unique<LMAdagradOptions>(busy_options().lr(0.01))));
    give_gradients(params);
    give_gradients(added);
    optimizer.step();
    std::stringstream file;
    torch::save(optimizer, file);
    Tensors copies;
    for (const Tensor& param : clones(params)) copies.push_back(param.set_requires_grad(true));
    Tensors copies_added = {clones(added)[0].set_requires_grad(true)};
    LMAdagrad resumed({torch::optim::OptimizerParamGroup(copies), torch::optim::OptimizerParamGroup(copies_added)},
                      LMAdagradOptions(7).history_size(2));
    torch::load(resumed, file);
    EXPECT(static_cast<LMAdagradOptions&>(resumed.param_groups()[0].options()) == busy_options());
    EXPECT(resumed.param_groups()[1].options().get_lr() == 0.01);
    for (int step = 0; step < 3; ++step) {
        give_gradients(params);
        give_gradients(added);
        for (std::size_t i = 0; i < params.size(); ++i) copies[i].mutable_grad() = params[i].grad().clone();
        copies_added[0].mutable_grad() = added[0].grad().clone();
        optimizer.step();
        resumed.step();
        EXPECT(same(params, copies) && same(added, copies_added));
    }
}

void archives_that_do_not_fit_change_nothing() {
    Tensors params = parameters(torch::kFloat);
    LMAdagrad optimizer(params, busy_options());
    give_gradients(params);
    optimizer.step();
    const auto refuse = [&](const char* words, int line, torch::optim::Optimizer& other) {
        std::stringstream file;
        torch::save(other, file);
        refuses(words, line, [&] { torch::load(optimizer, file); });
        EXPECT(optimizer.preconditioners() == 1 && optimizer.stats().steps >= 1);
        EXPECT(optimizer.param_groups()[0].options().get_lr() == 0.1);
    };
    torch::optim::Adam adam(params, torch::optim::AdamOptions(1e-3));
    refuse("holds no LMAdagrad", __LINE__, adam);
    LMAdagrad groups({torch::optim::OptimizerParamGroup(params), torch::optim::OptimizerParamGroup(Tensors{})});
    refuse("another number of parameter groups", __LINE__, groups);
    LMAdagrad fewer(Tensors{params[0]}, LMAdagradOptions(3));
    refuse("another number of parameters", __LINE__, fewer);
    Tensors doubles = parameters(torch::kDouble);
    LMAdagrad of_doubles(doubles, LMAdagradOptions(3));
    give_gradients(doubles);
    of_doubles.step();
    refuse("another type", __LINE__, of_doubles);
    Tensors longer = parameters(torch::kFloat);
    longer[1] = torch::randn({6}).set_requires_grad(true);
    LMAdagrad other_shapes(longer, LMAdagradOptions(3));
    give_gradients(longer);
    other_shapes.step();
    refuse("parameters of other lengths", __LINE__, other_shapes);
    give_gradients(params);
    optimizer.step();
    EXPECT(optimizer.stats().steps == 2);
}

void refusals_are_clear_and_change_nothing() {
    refuses("config.eps", __LINE__, [] { LMAdagrad(parameters(torch::kFloat), LMAdagradOptions().eps(-1)); });
    refuses("not Half", __LINE__, [] { LMAdagrad(parameters(torch::kHalf)).step(); });
    refuses("is on meta", __LINE__, [] { LMAdagrad(Tensors{torch::empty({2}, torch::kMeta)}).step(); });
    refuses("not LMAdagradOptions", __LINE__, [] {
        LMAdagrad({torch::optim::OptimizerParamGroup(parameters(torch::kFloat),
                                                     std::make_unique<torch::optim::SGDOptions>(0.1))})
            .step();
    });
    refuses("use an optimizer for each type", __LINE__, [] {
        LMAdagrad(Tensors{torch::ones({2}), torch::ones({2}, torch::kDouble)}).step();
    });
    const Tensor twice = torch::ones({2});
    refuses("twice among", __LINE__, [&] { LMAdagrad(Tensors{twice, twice}).step(); });

    Tensors params = parameters(torch::kFloat);
    LMAdagrad optimizer(params, busy_options());
    give_gradients(params);
    optimizer.step();
    const Tensors before = clones(params);
    const auto refuse = [&](const char* words, int line, auto spoil) {
        give_gradients(params);
        spoil();
        refuses(words, line, [&] { optimizer.step(); });
        EXPECT(same(params, before) && optimizer.stats().steps == 1);
    };
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    refuse("LMADA_ERROR_NON_FINITE", __LINE__, [&] { params[4].mutable_grad()[1][2][3] = nan; });
    refuse("a gradient is not dense", __LINE__, [&] { params[1].mutable_grad() = params[1].grad().to_sparse(); });
    for (const double wrong : {-1.0, static_cast<double>(nan)}) {
        refuse("a learning rate is a number >= 0", __LINE__,
               [&] { optimizer.param_groups()[0].options().set_lr(wrong); });
        optimizer.param_groups()[0].options().set_lr(0.1);
    }
    give_gradients(params);
    optimizer.step();
    EXPECT(optimizer.stats().steps == 2 && !same(params, before));
}

void options_are_those_of_the_library() {
    lmada_config_t config;
    EXPECT(lmada_config_recommended(&config, sizeof config) == LMADA_OK);
    const LMAdagradOptions recommended = LMAdagradOptions::recommended();
    EXPECT(recommended.lr() == config.lr && recommended.diagonal_beta() == config.diagonal_beta);
    EXPECT(recommended.history_size() == config.history_size && !(recommended == LMAdagradOptions()));
    LMAdagradOptions options = LMAdagradOptions(0.5).history_format(lmada::history::int8).threads(3).centered(true);
    options.eps() = 0.25;
    EXPECT(options.get_lr() == 0.5 && options.config().eps == 0.25 && options.config().threads == 3);
    EXPECT(options.history_format() == LMADA_HISTORY_INT8 && options.centered() && !options.frozen());
    // Every option survives an archive.
    std::stringstream file;
    torch::serialize::OutputArchive out;
    options.frozen(true).serialize(out);
    out.save_to(file);
    torch::serialize::InputArchive in;
    in.load_from(file);
    LMAdagradOptions loaded;
    EXPECT(!(loaded == options));
    loaded.serialize(in);
    EXPECT(loaded == options);
}

}  // namespace

int main() {
    steps_are_those_of_c(torch::kFloat);
    steps_are_those_of_c(torch::kDouble);
    a_closure_is_called_with_gradients_enabled();
    groups_are_those_of_c();
    bfloat16_has_float_masters();
    other_layouts_are_copied_with_one_warning();
    added_parameters_share_a_second_preconditioner();
    a_loaded_optimizer_goes_on_with_the_same_bits(torch::kFloat);
    a_loaded_optimizer_goes_on_with_the_same_bits(torch::kDouble);
    a_loaded_optimizer_goes_on_with_the_same_bits(torch::kBFloat16);
    archives_that_do_not_fit_change_nothing();
    refusals_are_clear_and_change_nothing();
    options_are_those_of_the_library();
    std::printf("torch: all tests of libtorch %s passed\n", TORCH_VERSION);
}
