// SPDX-License-Identifier: Apache-2.0
#include "src/models/layer.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include "src/nn/activation.hpp"

namespace mpdist::models {
namespace {

const LayerOptions& options_of(const TableList::Element& element) {
  return dynamic_cast<const LayerOptions&>(*element.options);
}

/// Whether element i, of a list, and the ReLU behind it become one operation. A ReLU with a name of its own stays.
bool merges_with_next(const std::vector<TableList::Element>& elements, std::size_t i) {
  if (i + 1 == elements.size() || elements[i + 1].kind != "relu") return false;
  return options_of(elements[i]).takes_relu() && options_of(elements[i]).repeat == 1 &&
         options_of(elements[i + 1]).repeat == 1 && options_of(elements[i + 1]).name.empty();
}

/// Names of the layers of one list: given ones, or kind and number; with `repeat` a given name is numbered too.
class Names {
 public:
  std::string next(const TableList::Element& element, std::int64_t repetition) {
    const LayerOptions& options = options_of(element);
    if (options.name.empty()) return element.kind + std::to_string(++numbers_[element.kind]);
    return options.repeat == 1 ? options.name : options.name + std::to_string(repetition + 1);
  }

 private:
  std::map<std::string, int> numbers_;
};

/// Letters, digits, '_', '-', and dots between them.
bool is_name(const std::string& text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
  return std::all_of(text.begin(), text.end(), fits) && text.front() != '.' && text.back() != '.' &&
         text.find("..") == std::string::npos;
}

}  // namespace

void LayerSite::fail(const std::string& problem) const {
  throw UsageError(fmt::format("{}{}{} ({}): {}", place, place.empty() ? "" : ": ", path, name, problem));
}

void LayerSite::take_name(const std::string& own) const {
  if (!is_name(own)) fail("expected a name of letters, digits, '_', '-' and dots between them");
  if (!taken.insert(name).second) fail("another layer has this name");
}

void LayerSite::take_part(const std::string& part) const {
  LayerSite own = *this;
  own.name += "." + part;
  own.take_name(part);
}

void LayerSite::need_image(const std::string& what) const {
  if (shape.rank() == 3) return;
  fail(fmt::format("{} needs height, width and channels, found {} features; put it before the layers that flatten",
                   what, shape[0]));
}

void LayerOptions::describe(Schema& schema) {
  describe_own(schema);
  schema.key("name", name, {.help = "of the layer in checkpoints and messages; empty: type and number"})
      .key("repeat", repeat, {.help = "times that it follows itself", .minimum = 1, .maximum = 1000});
}

LayerList::LayerList(const TableList& list, const std::string& key, LayerSite& site, bool last_relu) {
  Names names;
  const std::string prefix = site.name.empty() ? "" : site.name + ".";
  for (std::size_t i = 0; i < list.elements.size(); ++i) {
    const TableList::Element& element = list.elements[i];
    const LayerOptions& options = options_of(element);
    const bool merged = merges_with_next(list.elements, i), last = i + 1 == list.elements.size();
    can_close_ = last && options.takes_residual() && options.repeat == 1;
    for (std::int64_t repetition = 0; repetition < options.repeat; ++repetition) {
      LayerSite own = site;
      const std::string name = names.next(element, repetition);
      own.name = prefix + name;
      own.path = fmt::format("{}.{}[{}]", site.path, key, i);
      own.place = element.place;
      own.relu = merged || (can_close_ && last_relu);
      own.take_name(name);
      layers_.push_back(options.build(own));
      site.shape = own.shape;
    }
    if (merged) ++i;
  }
}

nn::Deferred LayerList::operator()(const nn::Pass& pass, nn::Deferred x) const {
  for (const auto& layer : layers_) x = layer->forward(pass, x, {});
  return x;
}

nn::Deferred LayerList::open(const nn::Pass& pass, nn::Deferred x) const {
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) x = layers_[i]->forward(pass, x, {});
  return x;
}

nn::Deferred LayerList::close(const nn::Pass& pass, const nn::Deferred& x, const nn::Deferred& residual) const {
  return layers_.back()->forward(pass, x, residual);
}

nn::Deferred activate(const nn::Pass& pass, const std::string& name, const std::string& activation,
                      const nn::Deferred& x) {
  if (activation == "relu") return nn::relu(pass, name, x);
  if (activation == "gelu") return nn::gelu(pass, name, x);
  return x;
}

void describe_activation(Schema& schema, std::string& activation, const char* help) {
  schema.key("activation", activation, {.help = help, .allowed = {"none", "relu", "gelu"}});
}

}  // namespace mpdist::models
