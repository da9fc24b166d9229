// Trains a small network in libtorch to read handwritten digits, once with Adam and once with lmada.
//
//     gzip -dc examples/data/digits.csv.gz | digits

#include <torch/torch.h>

#include <lmada/torch.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t seen = 1437;  // the number of training digits; the others are test digits
constexpr std::int64_t batch = 64;
constexpr int epochs = 20;

struct Digits {
    torch::Tensor images, labels;
};

// A line is 64 pixels from 0 to 16 and the digit.
Digits read(std::istream& in) {
    std::vector<float> pixels;
    std::vector<std::int64_t> labels;
    for (std::string line; std::getline(in, line);) {
        std::istringstream row(line);
        std::string cell;
        for (int i = 0; i < 64 && std::getline(row, cell, ','); ++i) pixels.push_back(std::stof(cell) / 16);
        std::getline(row, cell);
        labels.push_back(std::stoll(cell));
    }
    const auto count = static_cast<std::int64_t>(labels.size());
    TORCH_CHECK(count > seen && pixels.size() == labels.size() * 64, "stdin is not the digits");
    return {torch::tensor(pixels).view({count, 64}), torch::tensor(labels)};
}

// Returns the loss over the training digits, and prints it with the accuracy on the test digits.
double train(const char* name, torch::nn::Sequential& model, torch::optim::Optimizer& optimizer, const Digits& digits) {
    torch::optim::StepLR schedule(optimizer, 8, 0.3);
    for (int epoch = 0; epoch < epochs; ++epoch) {
        const torch::Tensor order = torch::randperm(seen);
        for (std::int64_t first = 0; first < seen; first += batch) {
            const torch::Tensor chosen = order.slice(0, first, first + batch);
            optimizer.zero_grad();
            const torch::Tensor scores = model->forward(digits.images.index_select(0, chosen));
            torch::nn::functional::cross_entropy(scores, digits.labels.index_select(0, chosen)).backward();
            optimizer.step();
        }
        schedule.step();
    }
    torch::NoGradGuard no_grad;
    const torch::Tensor scores = model->forward(digits.images);
    const torch::Tensor right = scores.argmax(1) == digits.labels;
    const double loss =
        torch::nn::functional::cross_entropy(scores.slice(0, 0, seen), digits.labels.slice(0, 0, seen)).item<double>();
    const double accuracy = right.slice(0, seen).to(torch::kDouble).mean().item<double>();
    std::printf("%s: loss %.4f, accuracy on unseen digits %.3f\n", name, loss, accuracy);
    return loss;
}

torch::nn::Sequential make_model() {
    torch::manual_seed(1);
    return torch::nn::Sequential(torch::nn::Linear(64, 32), torch::nn::Tanh(), torch::nn::Linear(32, 10));
}

}  // namespace

int main() {
    try {
        const Digits digits = read(std::cin);

        torch::nn::Sequential first = make_model();
        torch::optim::Adam adam(first->parameters(), torch::optim::AdamOptions(0.01));
        const double before = train("Adam", first, adam, digits);

        torch::nn::Sequential second = make_model();
        lmada::torch::LMAdagrad lmada(second->parameters(), lmada::torch::LMAdagradOptions::recommended().lr(0.01));
        const double after = train("lmada", second, lmada, digits);

        return after < before ? 0 : 1;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "digits: %s\n", failure.what());
        return 1;
    }
}
