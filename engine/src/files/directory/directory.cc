#include "files/directory/directory.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "base/disk_refusal.h"
#include "base/hex.h"
#include "base/parent_path.h"
#include "base/same_file.h"
#include "tiercache/error.h"

namespace tiercache {
namespace {

constexpr std::string_view kMarkerName = "tiercache.json";
constexpr std::string_view kTempStart = "tiercache.json.new";
constexpr std::string_view kMarkerStart = "{\"tiercache_directory\":";
constexpr std::string_view kProjectStart = ",\"project\":";
constexpr std::string_view kDirectoryFormat = "1";
// What tiercache itself keeps beside the marker.
constexpr std::array<std::string_view, 12> kOurNames = {
    "changes", "data",  "generations", "index", "index.saved", "index.shared",
    "journal", "locks", "quarantine",  "store", "store-name",  "tmp"};
constexpr std::size_t kMaxMarkerBytes = 64 << 10;
// Two processes that make the marker at once may each delete the other's half-written one as a
// leftover, so the marker is tried for several times.
constexpr int kAttempts = 16;

class Opening {
 public:
  Opening(FileSystem& file_system, const DirectoryOptions& options)
      : file_system_(file_system), options_(options) {}

  bool run() {
    if (options_.path.empty()) refuse("no path was given", "name a directory of its own");
    const std::string existing = nearest_existing();
    refuse_remote(existing);
    if (existing != options_.path) make(existing);
    sync_parent();
    bool fresh = false;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const std::vector<std::string> names = list();
      if (has_marker(names)) {
        check_marker();
        check_writable();
        remove_leftovers(names);
        return fresh;
      }
      refuse_foreign(names);
      fresh = true;
      write_marker();
    }
    refuse("its marker file vanishes whenever it is written",
           "see to it that nothing else changes the directory");
  }

 private:
  [[noreturn]] void refuse(const std::string& finding, const std::string& advice) const {
    throw BadDirectory("cannot use the cache directory \"" + options_.path + "\" for project \"" +
                       options_.project + "\": " + finding +
                       ". Nothing in it was changed. To go on, " + advice + ".");
  }

  void must(const IoStatus& status, const std::string& advice) const {
    if (!status.ok()) refuse(status.what, advice_for(status.error, advice));
  }

  std::string inside(std::string_view name) const {
    return options_.path + "/" + std::string(name);
  }

  // The directory itself, or else the nearest one above it that exists.
  std::string nearest_existing() const {
    std::string path = options_.path;
    for (;;) {
      FileInfo info;
      const IoStatus status = file_system_.info(path, &info);
      if (status.ok() && !info.directory) {
        refuse("\"" + path + "\" is a file", "name another path or move that file away");
      }
      if (status.ok()) return path;
      const std::string parent = parent_of(path);
      if (!status.absent() || parent == path) {
        must(status, "let this user search the directories above, or name another path");
      }
      path = parent;
    }
  }

  void refuse_remote(const std::string& existing) const {
    if (options_.allow_remote) return;
    bool remote = false;
    must(file_system_.is_remote(existing, &remote), "check the file system it is on");
    if (remote) {
      refuse("it is on a network or user-space file system, where locks and syncs may not hold",
             "name a directory on a local disk, or allow remote directories and take that risk");
    }
  }

  // The name of each new directory must survive power loss, or what is written into it would be
  // lost with it.
  void make(const std::string& existing) const {
    must(file_system_.make_directories(options_.path),
         "let this user write to \"" + existing +
             "\", or make the directory and give it to this user");
    for (std::string made = parent_of(options_.path);
         made != existing && made != parent_of(made);) {
      made = parent_of(made);
      must(file_system_.sync_directory(made), "check the disk");
    }
  }

  // Whoever made the directory may not have synced its name. Often this user may not open the
  // parent, and then it is left at that.
  void sync_parent() const {
    const IoStatus status = file_system_.sync_directory(parent_of(options_.path));
    if (status.error != EACCES && status.error != EPERM) must(status, "check the disk");
  }

  std::vector<std::string> list() const {
    std::vector<DirectoryItem> items;
    must(file_system_.list(options_.path, &items), "let this user read the directory");
    std::vector<std::string> names;
    for (const DirectoryItem& item : items) names.push_back(item.name);
    return names;
  }

  static bool has_marker(const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), kMarkerName) != names.end();
  }

  static bool is_ours(std::string_view name) {
    return std::find(kOurNames.begin(), kOurNames.end(), name) != kOurNames.end();
  }

  // Neither what an interrupted first open has left nor the `lost+found` of every new ext4 volume
  // counts as foreign.
  void refuse_foreign(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      if (name == "lost+found" || name.starts_with(kMarkerName)) continue;
      if (options_.was_ours && is_ours(name)) continue;
      refuse("it holds files that are not tiercache's, such as \"" + name + "\", and no " +
                 std::string(kMarkerName),
             "name an empty or new directory");
    }
  }

  // The text as a JSON string. Project names are checked elsewhere; escaping here keeps the marker
  // valid JSON whatever they are.
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20) {
        out += "\\u00";
        append_hex8(byte, &out);
      } else {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    return out + '"';
  }

  // The JSON without the white space that a person's editor may have put between its members.
  static std::string compact(std::string_view json) {
    std::string out;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const char c = json[i];
      if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
      out += c;
      if (c == '"') in_string = !in_string;
      if (c == '\\' && in_string && i + 1 < json.size()) out += json[++i];
    }
    return out;
  }

  void check_marker() const {
    std::string bytes;
    const std::string path = inside(kMarkerName);
    must(file_system_.read_file(path, kMaxMarkerBytes, &bytes), "let this user read its files");
    const std::string marker = compact(bytes);
    std::string_view rest = marker;
    const auto damaged = [&] {
      refuse("\"" + path + "\" is not a marker of tiercache",
             "restore that file, or name an empty or new directory");
    };
    if (!rest.starts_with(kMarkerStart)) damaged();
    rest.remove_prefix(kMarkerStart.size());
    const std::string format(rest.substr(0, rest.find_first_of(",}")));
    if (format.empty() || format.find_first_not_of("0123456789") != std::string::npos) damaged();
    if (format != kDirectoryFormat) {
      refuse("it is of directory format " + format + ", this library reads " +
                 std::string(kDirectoryFormat),
             "use the version of tiercache that wrote it, or name an empty or new directory");
    }
    rest.remove_prefix(format.size());
    if (!rest.starts_with(kProjectStart) || !rest.ends_with('}')) damaged();
    rest.remove_prefix(kProjectStart.size());
    rest.remove_suffix(1);
    if (rest != quoted(options_.project)) {
      refuse("it belongs to project " + std::string(rest),
             "open it as that project, or name a directory of its own");
    }
  }

  // The marker is written under a name that no other process uses and then renamed, so that nobody
  // sees a half-written one. Another process may do the same at once; the marker that is there in
  // the end is the one that counts, and it is checked like any other.
  void write_marker() const {
    const std::string bytes = std::string(kMarkerStart) + std::string(kDirectoryFormat) +
                              std::string(kProjectStart) + quoted(options_.project) + "}\n";
    std::string temp;
    std::unique_ptr<File> file;
    IoStatus status = {EEXIST, {}};
    for (int number = 0; status.error == EEXIST && number < kAttempts; ++number) {
      temp = inside(std::string(kTempStart) + std::to_string(number));
      status = file_system_.open(temp, OpenMode::create, &file);
    }
    if (status.ok()) status = file->write_at(0, bytes);
    if (status.ok()) status = file->sync_data();
    if (status.ok()) status = file_system_.rename(temp, inside(kMarkerName));
    // Another process has made the marker and removed ours as a leftover.
    if (status.absent()) return;
    if (!status.ok() && status.error != EEXIST) file_system_.remove_file(temp);
    must(status, "let this user write to it");
    must(file_system_.sync_directory(options_.path), "check the disk");
  }

  void remove_leftovers(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      if (name.starts_with(kTempStart)) file_system_.remove_file(inside(name));
    }
  }

  // A disk that takes nothing new at the moment can still be read from, so it is not refused.
  void check_writable() const {
    const std::string probe = inside(std::string(kMarkerName) + ".probe");
    const IoStatus written = file_system_.write_file(probe, {});
    file_system_.remove_file(probe);
    if (!refuses_for_now(written.error)) must(written, "let this user write to it");
  }

  FileSystem& file_system_;
  const DirectoryOptions& options_;
};

}  // namespace

bool open_directory(FileSystem& file_system, const DirectoryOptions& options) {
  return Opening(file_system, options).run();
}

bool has_marker(FileSystem& file_system, const std::string& path) {
  return still_leads_to(file_system, path + "/" + std::string(kMarkerName), 0);
}

}  // namespace tiercache
