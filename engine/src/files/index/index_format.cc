// The index's bytes, as `docs/formats/index.md` describes them. They are written in one pass while
// the index changes, so a list is not preceded by its length: a mark before each item says that one
// follows, and another mark ends the list.
#include <concepts>
#include <type_traits>

#include "files/index/index.h"

namespace tiercache {
namespace {

constexpr std::string_view kMagic = "tcindex\n";
constexpr std::uint32_t kFormat = 2;
// Has counts in front of lists instead of marks, and no prints. Still read.
constexpr std::uint32_t kFirstFormat = 1;
constexpr std::size_t kItemsAtOnce = 256;
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kMore = 1;
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
  append(out, item.print);
  for (const OptionalTime& time :
       {item.clocks.last_fetch, item.clocks.last_rich_fetch, item.clocks.invalidated_at}) {
    if (time) append(out, static_cast<std::int64_t>(time->time_since_epoch().count()));
  }
}

}  // namespace

// Takes numbers and texts off the front. Once something is missing `failed` stays true and
// everything after it reads as zero or empty, so that one check after several fields is enough.
class Index::Reader {
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
  // The length of the list that follows, in the format that states it.
  std::uint64_t count(std::uint32_t format) {
    return format == kFirstFormat ? number<std::uint64_t>() : 0;
  }
  // Whether another item follows: by what is left of the count, or by its mark.
  bool goes_on(std::uint32_t format, std::uint64_t* left) {
    if (format == kFirstFormat) return !failed_ && (*left)-- > 0;
    const auto mark = number<std::uint8_t>();
    if (mark > kMore) failed_ = true;
    return !failed_ && mark == kMore;
  }
  bool read_item(std::uint32_t format, IndexItem* item) {
    const auto kind = number<std::uint8_t>();
    const auto clocks = number<std::uint8_t>();
    if (kind > static_cast<std::uint8_t>(EntryKind::tombstone) || clocks > kKnownClocks) {
      return false;
    }
    item->kind = static_cast<EntryKind>(kind);
    item->version.time = number<std::uint64_t>();
    item->version.writer = number<std::uint32_t>();
    item->checksum.high = number<std::uint64_t>();
    item->checksum.low = number<std::uint64_t>();
    item->size = number<std::uint64_t>();
    if (format != kFirstFormat) item->print = number<FilePrint>();
    item->clocks.last_fetch = time(clocks & 1);
    item->clocks.last_rich_fetch = time(clocks & 2);
    item->clocks.invalidated_at = time(clocks & 4);
    return !failed_;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && rest_.empty(); }

 private:
  OptionalTime time(int present) {
    if (present == 0) return std::nullopt;
    return WallTime(std::chrono::milliseconds(number<std::int64_t>()));
  }
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

IndexEncoder::IndexEncoder(const Index& index, FileTime trusted_to)
    : index_(index), trusted_to_(trusted_to), datasets_(index.datasets()) {}

bool IndexEncoder::next(std::string* out) {
  const std::size_t start = out->size();
  if (!begun_) {
    out->append(kMagic);
    append(out, kFormat);
    append(out, trusted_to_);
    begun_ = true;
  }
  const bool more = next_slice(out);
  if (!more) append(out, kEnd);
  sum_.add(std::string_view(*out).substr(start));
  if (more) return true;
  const Checksum checksum = sum_.sum();
  append(out, checksum.high);
  append(out, checksum.low);
  return false;
}

// A dataset's name is written along with its first item, because the dataset may have lost all of
// its items since its name was listed.
bool IndexEncoder::next_slice(std::string* out) {
  if (dataset_ == datasets_.size()) return false;
  const std::string& name = datasets_[dataset_];
  const auto slice = index_.items(name, after_, kItemsAtOnce);
  if (!slice.empty() && !after_) {
    append(out, kMore);
    append(out, std::string_view(name));
  }
  for (const auto& [key, item] : slice) {
    append(out, kMore);
    append_item(out, key, item);
  }
  if (!slice.empty()) after_ = slice.back().first;
  if (slice.size() < kItemsAtOnce) end_dataset(out);
  return true;
}

void IndexEncoder::end_dataset(std::string* out) {
  if (after_) append(out, kEnd);
  after_.reset();
  ++dataset_;
}

std::string Index::encode(FileTime trusted_to) const {
  IndexEncoder encoder(*this, trusted_to);
  std::string out;
  while (encoder.next(&out)) {
  }
  return out;
}

bool Index::decode(std::string_view bytes, FileTime* trusted_to) {
  if (bytes.size() < kChecksumBytes) return false;
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  Reader trailer(bytes.substr(covered.size()));
  Checksum stated;
  stated.high = trailer.number<std::uint64_t>();
  stated.low = trailer.number<std::uint64_t>();
  if (stated != Checksum::of(covered) || !covered.starts_with(kMagic)) return false;
  Reader reader(covered.substr(kMagic.size()));
  const auto format = reader.number<std::uint32_t>();
  if (format != kFormat && format != kFirstFormat) return false;
  const auto until = format == kFirstFormat ? FileTime{0} : reader.number<FileTime>();
  Datasets datasets;
  if (!decode_datasets(reader, format, &datasets)) return false;
  if (trusted_to != nullptr) *trusted_to = until;
  Lock lock(mutex_);
  datasets_ = std::move(datasets);
  return true;
}

// Names must ascend, and so must keys. So none occurs twice, and each index has exactly one form.
bool Index::decode_datasets(Reader& reader, std::uint32_t format, Datasets* out) {
  for (auto left = reader.count(format); reader.goes_on(format, &left);) {
    const std::string_view name = reader.text();
    if (reader.failed() || (!out->empty() && out->rbegin()->first >= name)) return false;
    Dataset& dataset = out->emplace_hint(out->end(), name, Dataset{})->second;
    if (!decode_items(reader, format, &dataset) || dataset.items.empty()) return false;
  }
  return reader.at_end();
}

bool Index::decode_items(Reader& reader, std::uint32_t format, Dataset* out) {
  for (auto left = reader.count(format); reader.goes_on(format, &left);) {
    const std::string_view key = reader.text();
    IndexItem item;
    if (reader.failed() || !reader.read_item(format, &item)) return false;
    if (!out->items.empty() && out->items.rbegin()->first >= key) return false;
    out->items.emplace_hint(out->items.end(), key, item);
    out->count(item);
  }
  return !reader.failed();
}

}  // namespace tiercache
