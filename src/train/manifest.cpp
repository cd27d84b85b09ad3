// SPDX-License-Identifier: Apache-2.0
#include "src/train/manifest.hpp"

#include <nlohmann/json.hpp>

#include "src/checkpoint/temporary_file.hpp"

namespace mpdist::train {

void write_manifest(const std::string& directory, const Manifest& manifest) {
  using Json = nlohmann::ordered_json;
  Json json{{"versions", Json::object()}, {"seed", manifest.seed}, {"threads_per_rank", manifest.threads_per_rank}};
  for (const auto& [name, version] : manifest.versions) json["versions"][name] = version;
  json["ranks"] = Json::array();
  for (std::size_t rank = 0; rank < manifest.hosts.size(); ++rank) {
    json["ranks"].push_back({{"rank", rank},
                             {"host", manifest.hosts[rank]},
                             {"node", manifest.nodes.at(rank)},
                             {"device", manifest.devices.at(rank)}});
  }
  const std::string path = directory + "/manifest.json";
  checkpoint::replace_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace mpdist::train
