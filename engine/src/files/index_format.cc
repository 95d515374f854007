// The index's bytes, as `docs/formats/index.md` describes them.
#include <concepts>
#include <type_traits>

#include "files/index.h"

namespace tiercache {
namespace {

constexpr std::string_view kMagic = "tcindex\n";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kChecksumBytes = 16;
constexpr std::uint8_t kKnownClocks = 0b111;

template <std::integral Number>
void append(std::string* out, Number number) {
  auto bits = static_cast<std::make_unsigned_t<Number>>(number);
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out->push_back(static_cast<char>(static_cast<std::uint64_t>(bits) >> (8 * i) & 0xff));
  }
}

void append(std::string* out, std::string_view text) {
  append(out, static_cast<std::uint32_t>(text.size()));
  out->append(text);
}

// Takes numbers and texts off the front. Once something is missing all that follows is zero and
// `failed` stays true, so that a run of fields is checked once.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral Number>
  Number number() {
    std::uint64_t bits = 0;
    const std::string_view bytes = take(sizeof(Number));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return static_cast<Number>(bits);
  }
  std::string_view text() { return take(number<std::uint32_t>()); }
  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

using OptionalTime = std::optional<WallTime>;

std::uint8_t present(const Clocks& clocks) {
  return static_cast<std::uint8_t>((clocks.last_fetch ? 1 : 0) | (clocks.last_rich_fetch ? 2 : 0) |
                                   (clocks.invalidated_at ? 4 : 0));
}

void append_item(std::string* out, const std::string& key, const IndexItem& item) {
  append(out, std::string_view(key));
  append(out, static_cast<std::uint8_t>(item.kind));
  append(out, present(item.clocks));
  append(out, item.version.time);
  append(out, item.version.writer);
  append(out, item.checksum.high);
  append(out, item.checksum.low);
  append(out, item.size);
  for (const OptionalTime& time :
       {item.clocks.last_fetch, item.clocks.last_rich_fetch, item.clocks.invalidated_at}) {
    if (time) append(out, static_cast<std::int64_t>(time->time_since_epoch().count()));
  }
}

bool read_item(Reader& reader, IndexItem* item) {
  const auto kind = reader.number<std::uint8_t>();
  const auto clocks = reader.number<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(EntryKind::tombstone) || clocks > kKnownClocks) return false;
  item->kind = static_cast<EntryKind>(kind);
  item->version.time = reader.number<std::uint64_t>();
  item->version.writer = reader.number<std::uint32_t>();
  item->checksum.high = reader.number<std::uint64_t>();
  item->checksum.low = reader.number<std::uint64_t>();
  item->size = reader.number<std::uint64_t>();
  const auto time = [&](std::uint8_t bit) -> OptionalTime {
    if ((clocks & bit) == 0) return std::nullopt;
    return WallTime(std::chrono::milliseconds(reader.number<std::int64_t>()));
  };
  item->clocks.last_fetch = time(1);
  item->clocks.last_rich_fetch = time(2);
  item->clocks.invalidated_at = time(4);
  return !reader.failed();
}

}  // namespace

std::string Index::encode() const {
  Lock lock(mutex_);
  std::string out(kMagic);
  append(&out, kFormat);
  append(&out, static_cast<std::uint64_t>(datasets_.size()));
  for (const auto& [name, dataset] : datasets_) {
    append(&out, std::string_view(name));
    append(&out, static_cast<std::uint64_t>(dataset.items.size()));
    for (const auto& [key, item] : dataset.items) append_item(&out, key, item);
  }
  const Checksum checksum = Checksum::of(out);
  append(&out, checksum.high);
  append(&out, checksum.low);
  return out;
}

bool Index::decode(std::string_view bytes) {
  if (bytes.size() < kChecksumBytes) return false;
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  Reader trailer(bytes.substr(covered.size()));
  Checksum stated;
  stated.high = trailer.number<std::uint64_t>();
  stated.low = trailer.number<std::uint64_t>();
  Datasets datasets;
  if (stated != Checksum::of(covered) || !decode_datasets(covered, &datasets)) return false;
  Lock lock(mutex_);
  datasets_ = std::move(datasets);
  return true;
}

// Names must ascend: so each is there once, and there is one form of each index.
bool Index::decode_datasets(std::string_view bytes, Datasets* out) {
  if (!bytes.starts_with(kMagic)) return false;
  Reader reader(bytes.substr(kMagic.size()));
  if (reader.number<std::uint32_t>() != kFormat) return false;
  for (auto left = reader.number<std::uint64_t>(); left > 0; --left) {
    const std::string_view name = reader.text();
    auto items = reader.number<std::uint64_t>();
    if (reader.failed() || items == 0) return false;
    if (!out->empty() && out->rbegin()->first >= name) return false;
    Dataset& dataset = out->emplace_hint(out->end(), name, Dataset{})->second;
    for (; items > 0; --items) {
      const std::string_view key = reader.text();
      IndexItem item;
      if (reader.failed() || !read_item(reader, &item)) return false;
      if (!dataset.items.empty() && dataset.items.rbegin()->first >= key) return false;
      dataset.items.emplace_hint(dataset.items.end(), key, item);
      dataset.count(item);
    }
  }
  return reader.at_end();
}

}  // namespace tiercache
