#pragma once
#include <cstddef>
#include <vector>

struct Index {
    std::size_t width;
    std::vector<float> rows;
    void add(const float *row);
    std::vector<std::size_t> nearest(const float *row, std::size_t count) const;
};
