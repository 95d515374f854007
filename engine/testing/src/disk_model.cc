#include "disk_model.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

namespace tiercache::testing {
namespace {

// How many possibilities are remembered per block: the oldest and the newest ones.
constexpr std::size_t kMaxOlder = 8;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxPath = 4095;

template <class T>
void remember(std::vector<T>& older, T value) {
  if (older.size() == kMaxOlder) older.erase(older.begin() + 1);
  older.push_back(std::move(value));
}

int split(const std::string& path, std::vector<std::string>* out) {
  if (path.empty()) return ENOENT;
  if (path.size() > kMaxPath) return ENAMETOOLONG;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    std::string name = path.substr(at, end - at);
    at = end + 1;
    if (name.size() > kMaxName) return ENAMETOOLONG;
    if (name == "..") {
      if (!out->empty()) out->pop_back();
    } else if (!name.empty() && name != ".") {
      out->push_back(std::move(name));
    }
  }
  return 0;
}

int walk(NodePtr node, const std::vector<std::string>& names, std::size_t count, NodePtr* out) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!node->directory) return ENOTDIR;
    const auto next = node->names.find(names[i]);
    if (next == node->names.end()) return ENOENT;
    node = next->second;
  }
  *out = std::move(node);
  return 0;
}

void apply(Names& names, const NameEdit& edit) {
  if (edit.node) {
    names[edit.name] = edit.node;
  } else {
    names.erase(edit.name);
  }
}

void collect_files(const Node& directory, const std::string& path, std::vector<std::string>* out) {
  for (const auto& [name, node] : directory.names) {
    const std::string below = path + "/" + name;
    if (node->directory) {
      collect_files(*node, below, out);
    } else {
      out->push_back(below);
    }
  }
}

}  // namespace

LossDice::LossDice(std::uint64_t seed) : state_(seed) {
  if (seed < 2) {
    data_ = names_ = seed == 0 ? Mode::lose : Mode::keep;
    return;
  }
  constexpr std::array<Mode, 4> kData = {Mode::lose, Mode::keep, Mode::mix, Mode::mix};
  const std::uint64_t data = below(4);
  data_ = kData[data];
  each_file_its_own_ = data == 3;
  constexpr std::array<Mode, 4> kNames = {Mode::lose, Mode::keep, Mode::mix, Mode::mix};
  names_ = kNames[below(4)];
}

// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
std::uint64_t LossDice::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::uint64_t LossDice::below(std::uint64_t bound) {
  return bound == 0 ? 0 : next() % bound;
}

LossDice::Mode LossDice::file_mode() {
  return each_file_its_own_ ? static_cast<Mode>(below(3)) : data_;
}

LossDice::Mode LossDice::directory_mode() {
  return names_;
}

std::size_t LossDice::choose(Mode mode, std::size_t count) {
  switch (mode) {
    case Mode::lose:
      return 0;
    case Mode::keep:
      return count - 1;
    case Mode::mix:
      break;
  }
  return static_cast<std::size_t>(below(count));
}

std::string FileContent::read(std::uint64_t offset, std::size_t size) const {
  if (offset >= size_) return {};
  std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset)), '\0');
  for (std::size_t done = 0; done < out.size();) {
    const std::uint64_t place = offset + done;
    const auto at = static_cast<std::size_t>(place % kBlockBytes);
    const std::size_t part = std::min(kBlockBytes - at, out.size() - done);
    const Block block = block_or_zeros(static_cast<std::size_t>(place / kBlockBytes));
    if (block) std::memcpy(out.data() + done, block->data() + at, part);
    done += part;
  }
  return out;
}

void FileContent::write(std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  while (!bytes.empty()) {
    const auto at = static_cast<std::size_t>(offset % kBlockBytes);
    const std::size_t part = std::min(kBlockBytes - at, bytes.size());
    write_block(static_cast<std::size_t>(offset / kBlockBytes), at, bytes.substr(0, part));
    bytes.remove_prefix(part);
    offset += part;
  }
}

void FileContent::truncate(std::uint64_t size) {
  if (size == size_) return;
  const std::uint64_t old_size = size_;
  resize(size);
  // What lies beyond the end must read as zeros if the file grows again.
  for (std::uint64_t at = size; at < old_size;) {
    const std::uint64_t end = std::min(old_size, (at / kBlockBytes + 1) * kBlockBytes);
    write_block(static_cast<std::size_t>(at / kBlockBytes),
                static_cast<std::size_t>(at % kBlockBytes),
                std::string(static_cast<std::size_t>(end - at), '\0'));
    at = end;
  }
}

void FileContent::sync() {
  std::erase_if(unsure_, [](const auto& item) { return item.second.dirty; });
  if (size_dirty_) older_sizes_.clear();
  size_dirty_ = false;
}

void FileContent::fail_sync() {
  for (auto& [number, unsure] : unsure_) unsure.dirty = false;
  size_dirty_ = false;
}

FileContent FileContent::after_loss(LossDice& dice) const {
  if (unsure_.empty() && older_sizes_.empty()) return *this;
  const LossDice::Mode mode = dice.file_mode();
  FileContent out;
  out.blocks_ = blocks_;
  for (const auto& [number, unsure] : unsure_) {
    const std::size_t chosen = dice.choose(mode, unsure.older.size() + 1);
    if (chosen < unsure.older.size()) out.blocks_[number] = unsure.older[chosen];
  }
  const std::size_t chosen = dice.choose(mode, older_sizes_.size() + 1);
  const std::uint64_t size = chosen < older_sizes_.size() ? older_sizes_[chosen] : size_;
  out.size_ = std::max<std::uint64_t>(size, out.blocks_.size() * kBlockBytes);
  out.truncate(size);
  out.blocks_.resize(static_cast<std::size_t>((size + kBlockBytes - 1) / kBlockBytes));
  out.sync();
  return out;
}

void FileContent::write_block(std::size_t number, std::size_t at, std::string_view bytes) {
  static constexpr std::array<char, kBlockBytes> kZeros = {};
  const Block old = block_or_zeros(number);
  auto changed = std::make_shared<std::array<char, kBlockBytes>>(old ? *old : kZeros);
  std::memcpy(changed->data() + at, bytes.data(), bytes.size());
  replace_block(number, *changed == kZeros ? nullptr : Block(std::move(changed)));
}

void FileContent::replace_block(std::size_t number, Block block) {
  if (number >= blocks_.size()) blocks_.resize(number + 1);
  Unsure& unsure = unsure_[number];
  remember(unsure.older, std::exchange(blocks_[number], std::move(block)));
  unsure.dirty = true;
}

void FileContent::resize(std::uint64_t size) {
  remember(older_sizes_, std::exchange(size_, size));
  size_dirty_ = true;
}

FileContent::Block FileContent::block_or_zeros(std::size_t number) const {
  return number < blocks_.size() ? blocks_[number] : nullptr;
}

int DiskModel::find(const std::string& path, NodePtr* out) const {
  std::vector<std::string> names;
  const int error = split(path, &names);
  return error != 0 ? error : walk(root_, names, names.size(), out);
}

int DiskModel::find_parent(const std::string& path, NodePtr* parent, std::string* name) const {
  std::vector<std::string> names;
  if (const int error = split(path, &names)) return error;
  if (names.empty()) return EBUSY;
  if (const int error = walk(root_, names, names.size() - 1, parent)) return error;
  *name = names.back();
  return (*parent)->directory ? 0 : ENOTDIR;
}

NodePtr DiskModel::make_node(bool directory) {
  auto node = std::make_shared<Node>();
  node->number = ++last_node_;
  node->inode = node->number;
  node->modified_ns = node->changed_ns = now_ns_;
  node->directory = directory;
  return node;
}

void DiskModel::change_names(std::vector<NameEdit> edits) {
  for (const NameEdit& edit : edits) {
    const auto old = edit.directory->names.find(edit.name);
    if (edit.node) link(edit.node, 1);
    if (edit.node) edit.node->changed_ns = now_ns_;
    if (old != edit.directory->names.end()) link(old->second, -1);
    apply(edit.directory->names, edit);
  }
  pending_.push_back({++last_change_, std::move(edits)});
}

void DiskModel::write(const NodePtr& file, std::uint64_t offset, std::string_view bytes) {
  const std::uint64_t old_size = file->content.size();
  file->content.write(offset, bytes);
  file->modified_ns = file->changed_ns = now_ns_;
  resized(*file, old_size);
  unsynced_[file->number] = file;
}

void DiskModel::truncate(const NodePtr& file, std::uint64_t size) {
  const std::uint64_t old_size = file->content.size();
  file->content.truncate(size);
  file->modified_ns = file->changed_ns = now_ns_;
  resized(*file, old_size);
  unsynced_[file->number] = file;
}

void DiskModel::sync_file(const NodePtr& file) {
  file->content.sync();
  unsynced_.erase(file->number);
}

void DiskModel::fail_sync_file(const NodePtr& file) {
  file->content.fail_sync();
  unsynced_.erase(file->number);
}

// A change that also touches another directory brings along everything that happened there before
// it. One pass backwards finds all of these, since a change can only draw in earlier ones.
void DiskModel::sync_directory(const NodePtr& directory) {
  Cuts cuts = {{directory.get(), last_change_}};
  std::set<std::uint64_t> certain;
  for (auto change = pending_.rbegin(); change != pending_.rend(); ++change) {
    const bool drawn_in =
        std::any_of(change->edits.begin(), change->edits.end(), [&](const NameEdit& edit) {
          const auto cut = cuts.find(edit.directory.get());
          return cut != cuts.end() && cut->second >= change->sequence;
        });
    if (!drawn_in) continue;
    certain.insert(change->sequence);
    for (const NameEdit& edit : change->edits) {
      std::uint64_t& cut = cuts[edit.directory.get()];
      cut = std::max(cut, change->sequence);
    }
  }
  for (const NameChange& change : pending_) {
    if (!certain.contains(change.sequence)) continue;
    for (const NameEdit& edit : change.edits) apply(edit.directory->durable, edit);
  }
  std::erase_if(pending_, [&](const NameChange& c) { return certain.contains(c.sequence); });
}

void DiskModel::sync_all() {
  for (auto& [number, file] : unsynced_) file->content.sync();
  unsynced_.clear();
  for (const NameChange& change : pending_) {
    for (const NameEdit& edit : change.edits) apply(edit.directory->durable, edit);
  }
  pending_.clear();
}

void DiskModel::fail_sync_all() {
  for (auto& [number, file] : unsynced_) file->content.fail_sync();
  unsynced_.clear();
}

std::uint64_t DiskModel::inodes() const {
  const std::function<std::uint64_t(const Node&)> count = [&](const Node& node) {
    std::uint64_t sum = 1;
    for (const auto& [name, child] : node.names) sum += count(*child);
    return sum;
  };
  return count(*root_);
}

std::vector<std::string> DiskModel::files() const {
  std::vector<std::string> out;
  collect_files(*root_, "", &out);
  std::sort(out.begin(), out.end());
  return out;
}

// Chooses a prefix of each directory's changes and makes the prefixes agree: if one of two
// directories has lost a change that both share, the other's prefix ends before that change as
// well. One pass forwards is enough, since this only takes away later changes.
DiskModel::Cuts DiskModel::choose_cuts(LossDice& dice) const {
  std::map<std::uint64_t, std::vector<std::uint64_t>> sequences;  // by the directory's number
  std::map<std::uint64_t, const Node*> directories;
  for (const NameChange& change : pending_) {
    for (const NameEdit& edit : change.edits) {
      directories[edit.directory->number] = edit.directory.get();
      std::vector<std::uint64_t>& of_directory = sequences[edit.directory->number];
      if (of_directory.empty() || of_directory.back() != change.sequence) {
        of_directory.push_back(change.sequence);
      }
    }
  }
  Cuts cuts;
  for (const auto& [number, of_directory] : sequences) {
    const std::size_t kept = dice.choose(dice.directory_mode(), of_directory.size() + 1);
    cuts[directories[number]] = kept == 0 ? 0 : of_directory[kept - 1];
  }
  for (const NameChange& change : pending_) {
    if (within(change, cuts)) continue;
    for (const NameEdit& edit : change.edits) {
      std::uint64_t& cut = cuts[edit.directory.get()];
      cut = std::min(cut, change.sequence - 1);
    }
  }
  return cuts;
}

bool DiskModel::within(const NameChange& change, const Cuts& cuts) {
  return std::all_of(change.edits.begin(), change.edits.end(), [&](const NameEdit& edit) {
    return cuts.at(edit.directory.get()) >= change.sequence;
  });
}

DiskModel DiskModel::after_loss(std::uint64_t seed) const {
  LossDice dice(seed);
  const Cuts cuts = choose_cuts(dice);
  std::map<const Node*, Names> surviving;
  for (const auto& [directory, cut] : cuts) surviving[directory] = directory->durable;
  for (const NameChange& change : pending_) {
    if (!within(change, cuts)) continue;
    for (const NameEdit& edit : change.edits) apply(surviving[edit.directory.get()], edit);
  }

  DiskModel out;
  out.now_ns_ = now_ns_;
  std::map<const Node*, NodePtr> copies = {{root_.get(), out.root_}};
  const std::function<void(const Node&)> copy_below = [&](const Node& directory) {
    const auto changed = surviving.find(&directory);
    const Names& names = changed == surviving.end() ? directory.durable : changed->second;
    Names copied;
    for (const auto& [name, node] : names) {
      NodePtr& copy = copies[node.get()];
      if (!copy) {
        copy = out.make_node(node->directory);
        copy->inode = node->inode;
        copy->modified_ns = node->modified_ns;
        copy->changed_ns = node->changed_ns;
        if (node->directory) {
          copy_below(*node);
        } else {
          copy->content = node->content.after_loss(dice);
        }
      }
      const NodePtr kept = copies[node.get()];
      out.link(kept, 1);
      out.last_node_ = std::max(out.last_node_, node->inode);
      copied[name] = kept;
    }
    const NodePtr& to = copies.at(&directory);
    to->names = copied;
    to->durable = std::move(copied);
  };
  copy_below(*root_);
  return out;
}

void DiskModel::link(const NodePtr& node, int by) {
  const bool counted = node->links > 0;
  node->links += by;
  const bool counts = node->links > 0;
  if (counted == counts) return;
  used_ = counts ? used_ + node->content.size() : used_ - node->content.size();
}

void DiskModel::resized(const Node& file, std::uint64_t old_size) {
  if (file.links > 0) used_ += file.content.size() - old_size;
}

}  // namespace tiercache::testing
