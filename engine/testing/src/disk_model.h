// What `MemoryDisk` holds: files and names as programs see them, and beside them everything else
// that the disk could hold if the power failed now.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::testing {

// Decides from a seed what survives a power loss. Some seeds lose or keep everything of a kind,
// because most faults show at the extremes, which chance alone would rarely reach.
class LossDice {
 public:
  // With 0 nothing unsynced survives, with 1 everything, with any other seed a mixture.
  explicit LossDice(std::uint64_t seed);

  enum class Mode : std::uint8_t { lose, keep, mix };
  // What happens to one file's bytes and size, and to one directory's names.
  Mode file_mode();
  Mode directory_mode();
  // Uniform in [0, bound).
  std::uint64_t below(std::uint64_t bound);
  // Picks one of `count` possibilities, which are ordered from the oldest to the newest.
  std::size_t choose(Mode mode, std::size_t count);

 private:
  std::uint64_t next();

  std::uint64_t state_;
  Mode data_ = Mode::mix;
  Mode names_ = Mode::mix;
  bool each_file_its_own_ = false;
};

// The bytes of one file in blocks. A block that was written since the last sync may be on the disk
// in any of the forms that it has had since, and so may the size. After a failed sync these
// possibilities stay for good, and a later successful sync settles only what was written again: a
// kernel marks pages clean after a failed write-back, so the next sync has nothing to do and
// reports success.
class FileContent {
 public:
  static constexpr std::size_t kBlockBytes = 4096;

  std::uint64_t size() const { return size_; }
  std::string read(std::uint64_t offset, std::size_t size) const;
  void write(std::uint64_t offset, std::string_view bytes);
  void truncate(std::uint64_t size);
  void sync();
  void fail_sync();
  // One of the states that the disk may hold, with nothing left unsure.
  FileContent after_loss(LossDice& dice) const;

 private:
  using Block = std::shared_ptr<const std::array<char, kBlockBytes>>;  // null: zeros
  struct Unsure {
    std::vector<Block> older;  // what the disk may hold instead, oldest first; never empty
    bool dirty = true;         // the next sync will write it
  };

  void write_block(std::size_t number, std::size_t at, std::string_view bytes);
  void replace_block(std::size_t number, Block block);
  void resize(std::uint64_t size);
  Block block_or_zeros(std::size_t number) const;

  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> older_sizes_;
  bool size_dirty_ = false;
  std::vector<Block> blocks_;
  std::map<std::size_t, Unsure> unsure_;
};

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Names = std::map<std::string, NodePtr>;

// A file or a directory.
struct Node {
  std::uint64_t number = 0;  // in order of creation, which makes every walk reproducible
  std::uint64_t inode = 0;   // the first number, which a power loss does not change
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool directory = false;
  int links = 0;        // how many visible names it has
  FileContent content;  // of a file
  Names names;          // of a directory, as programs see it
  Names durable;        // of a directory, as the disk certainly holds it
};

// One name of one directory gets another node, or none if it is null.
struct NameEdit {
  NodePtr directory;
  std::string name;
  NodePtr node;
};

// The tree of files. Not thread-safe. Paths are split at '/'; relative ones start at the root.
class DiskModel {
 public:
  // Returns 0 or an errno value.
  int find(const std::string& path, NodePtr* out) const;
  // Finds the directory that holds the path's last name, and that name.
  int find_parent(const std::string& path, NodePtr* parent, std::string* name) const;

  NodePtr make_node(bool directory);
  // Changes these names; a power loss undoes all of the changes or none.
  void change_names(std::vector<NameEdit> edits);
  void write(const NodePtr& file, std::uint64_t offset, std::string_view bytes);
  void truncate(const NodePtr& file, std::uint64_t size);
  // What changes from now on is stamped with this time. A power loss never takes back a file's
  // time, though it takes back its bytes; that is worse than a real disk.
  void set_time(std::int64_t now_ns) { now_ns_ = now_ns; }
  std::int64_t time() const { return now_ns_; }

  void sync_file(const NodePtr& file);
  void fail_sync_file(const NodePtr& file);
  void sync_directory(const NodePtr& directory);
  void sync_all();
  void fail_sync_all();

  std::uint64_t used_bytes() const { return used_; }
  std::uint64_t inodes() const;  // files and directories that have a name, and the root
  std::vector<std::string> files() const;
  DiskModel after_loss(std::uint64_t seed) const;

 private:
  // A change of names, which is applied to `durable` once it is certain.
  struct NameChange {
    std::uint64_t sequence = 0;
    std::vector<NameEdit> edits;
  };
  // Up to which change, inclusive, a directory's changes are counted.
  using Cuts = std::map<const Node*, std::uint64_t>;

  Cuts choose_cuts(LossDice& dice) const;
  static bool within(const NameChange& change, const Cuts& cuts);
  void link(const NodePtr& node, int by);
  void resized(const Node& file, std::uint64_t old_size);

  std::uint64_t last_node_ = 0;
  std::int64_t now_ns_ = 1'700'000'000'000'000'000;
  NodePtr root_ = make_node(true);
  std::uint64_t last_change_ = 0;
  std::uint64_t used_ = 0;
  std::vector<NameChange> pending_;            // in the order they were made
  std::map<std::uint64_t, NodePtr> unsynced_;  // files by number
};

}  // namespace tiercache::testing
