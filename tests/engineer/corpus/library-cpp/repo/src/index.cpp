#include "index.hpp"
#include <algorithm>
#include <numeric>

void Index::add(const float *row) { rows.insert(rows.end(), row, row + width); }

std::vector<std::size_t> Index::nearest(const float *row, std::size_t count) const {
    std::vector<std::size_t> order(rows.size() / width);
    std::iota(order.begin(), order.end(), 0);
    auto far = [&](std::size_t at) {
        float sum = 0;
        for (std::size_t i = 0; i < width; ++i) sum += (rows[at * width + i] - row[i]) * (rows[at * width + i] - row[i]);
        return sum;
    };
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](auto a, auto b) { return far(a) < far(b); });
    order.resize(count);
    return order;
}
