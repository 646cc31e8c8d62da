#include "space_drawing.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/status.h"
#include "space_parts.h"
#include "units.h"
#include "utf8.h"

namespace commy::tools {
namespace {

using Kind = alloc::SpanSpace::Kind;

constexpr std::uint64_t kCellsMax = 20'000;
constexpr std::size_t kOwnersShown = 8;
constexpr std::size_t kNameMax = 40;  // Characters.

// Places in the drawing, in pixels.
constexpr int kMargin = 24;
constexpr int kGutter = 76;  // For the offsets of rows.
constexpr int kPanel = 640;
constexpr int kBetween = 40;
constexpr int kTop = 118;
constexpr int kLine = 20;
constexpr int kWidth = 2 * kMargin + kGutter + 2 * kPanel + kBetween;

// --- Colours -------------------------------------------------------------------------------------

constexpr std::size_t kSizes = 8;
constexpr std::array<std::uint64_t, kSizes> kSizeLimits = {32,  64,   128,  256,
                                                           512, 2048, 8192, UINT64_MAX};

// What a cell can be; each is a class of the style.
struct Paint {
  std::string_view style;
  std::string_view name;
  std::string_view light;
  std::string_view dark;
};
enum PaintIndex : std::size_t {
  kTables,
  kSmall,
  kRun = kSmall + kSizes,
  kRetired,
  kLeaving,
  kFree,
  kReserve,
  kHole,
  kEnd,
  kPaints
};
constexpr std::array<Paint, kPaints> kKinds = {{
    {"kt", "header and tables", "#8c959f", "#6e7681"},
    {"s0", "blocks to 32 bytes", "#b5d334", "#b5d334"},
    {"s1", "to 64 bytes", "#6ece58", "#6ece58"},
    {"s2", "to 128 bytes", "#35b779", "#35b779"},
    {"s3", "to 256 bytes", "#1f9e89", "#1f9e89"},
    {"s4", "to 512 bytes", "#26828e", "#2b95a3"},
    {"s5", "to 2 KiB", "#31688e", "#3d80ad"},
    {"s6", "to 8 KiB", "#4b57a5", "#6a77cf"},
    {"s7", "above 8 KiB", "#7045a5", "#976bd0"},
    {"kr", "large blocks", "#e8833a", "#e8833a"},
    {"kw", "retired", "#d1495b", "#d1495b"},
    {"kl", "being emptied", "#d9ae00", "#d9ae00"},
    {"kf", "free", "#e1e6eb", "#2b323b"},
    {"kv", "reserve", "#c3d3e6", "#344a63"},
    {"kh", "holes, not on disk", "#f4f6f8", "#151b22"},
    {"ke", "behind the last span", "#d0d7de", "#3d444d"},
}};
constexpr std::array<Paint, kOwnersShown + 2> kOwners = {{
    {"o0", "", "#4e79a7", "#5b8cc0"},
    {"o1", "", "#f28e2b", "#f28e2b"},
    {"o2", "", "#59a14f", "#66b35b"},
    {"o3", "", "#b07aa1", "#c08ab1"},
    {"o4", "", "#e15759", "#e15759"},
    {"o5", "", "#5fb3ad", "#76b7b2"},
    {"o6", "", "#d9b52e", "#edc948"},
    {"o7", "", "#9c755f", "#b08a74"},
    {"ox", "other namespaces", "#8c959f", "#8b949e"},
    {"on", "no namespace", "#eef1f4", "#1b2129"},
}};
constexpr std::size_t kOther = kOwnersShown;
constexpr std::size_t kNobody = kOwnersShown + 1;

constexpr std::array<std::string_view, 5> kFills = {".3", ".48", ".66", ".83", "1"};

// --- Text ----------------------------------------------------------------------------------------

// Text in XML: bytes that are no UTF-8, or that XML has no place for, become \xHH.
std::string Escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = Utf8SequenceBytes(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(bytes, 1));
    const auto byte = static_cast<unsigned char>(character[0]);
    if (bytes == 0 || byte < 0x20 || byte == 0x7f || character == "\xef\xbf\xbe" ||
        character == "\xef\xbf\xbf") {
      for (const char each : character) {
        absl::StrAppend(&out, "\\x", absl::Hex(static_cast<unsigned char>(each), absl::kZeroPad2));
      }
    } else if (byte == '&') {
      out += "&amp;";
    } else if (byte == '<') {
      out += "&lt;";
    } else if (byte == '>') {
      out += "&gt;";
    } else if (byte == '"') {
      out += "&quot;";
    } else {
      out += character;
    }
    text.remove_prefix(character.size());
  }
  return out;
}

// The beginning of a long name.
std::string Shorten(std::string_view name) {
  std::size_t end = 0;
  for (std::size_t characters = 0; end < name.size(); ++characters) {
    if (characters == kNameMax) {
      return absl::StrCat(base::ToAbsl(name.substr(0, end)), "\u2026");
    }
    end += std::max<std::size_t>(Utf8SequenceBytes(name.substr(end)), 1);
  }
  return std::string(name);
}

std::string NameOf(std::string_view path) {
  return path.empty() ? "(the empty path)" : Escape(Shorten(path));
}

// --- Cells ---------------------------------------------------------------------------------------

std::size_t PaintOf(const alloc::SpanSpace& space) {
  switch (space.kind) {
    case Kind::kReserve:
      return kReserve;
    case Kind::kHole:
      return kHole;
    case Kind::kRetired:
      return kRetired;
    case Kind::kRun:
      return kRun;
    case Kind::kLeaving:
      return kLeaving;
    case Kind::kSmall:
      return kSmall +
             static_cast<std::size_t>(std::lower_bound(kSizeLimits.begin(), kSizeLimits.end() - 1,
                                                       std::uint64_t{space.block_bytes}) -
                                      kSizeLimits.begin());
    case Kind::kFree:
      break;
  }
  return kFree;
}

// One place of the grid, or a row of them, or all: what is in it, in bytes of the file.
struct Sum {
  std::array<std::uint64_t, kPaints> kinds{};
  std::array<std::uint64_t, kOwners.size()> owners{};
  std::uint64_t live = 0;
  std::uint64_t room = 0;  // Of spans that have blocks, for these.

  void Add(std::size_t kind, std::size_t owner, std::uint64_t bytes) {
    kinds.at(kind) += bytes;
    owners.at(owner) += bytes;
  }
  void Add(const Sum& other) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      kinds.at(i) += other.kinds.at(i);
    }
    for (std::size_t i = 0; i < owners.size(); ++i) {
      owners.at(i) += other.owners.at(i);
    }
    live += other.live;
    room += other.room;
  }
  // A fifth of the room each; where there are no blocks, all of it.
  [[nodiscard]] std::size_t Fill() const {
    return room == 0 ? kFills.size() - 1
                     : std::min<std::size_t>(kFills.size() - 1, live * kFills.size() / room);
  }
};

template <std::size_t count>
std::size_t Most(const std::array<std::uint64_t, count>& bytes) {
  return static_cast<std::size_t>(std::max_element(bytes.begin(), bytes.end()) - bytes.begin());
}

// --- The drawing ---------------------------------------------------------------------------------

class Drawing {
 public:
  Drawing(const StoreStats& stats, const inspect::SpaceMap& map) : stats_(stats), map_(map) {
    ChooseOwners();
    const std::uint64_t places = (map.file_bytes + map.span_bytes - 1) / map.span_bytes;
    while ((places + per_cell_ - 1) / per_cell_ > kCellsMax) {
      per_cell_ *= 2;
    }
    const std::uint64_t count = (places + per_cell_ - 1) / per_cell_;
    columns_ = count > 4096 ? 128 : count > 1024 ? 64 : 32;
    side_ = kPanel / static_cast<int>(columns_);
    cells_.resize(count);
    for (std::uint64_t place = 0; place < places; ++place) {
      AddPlace(place, &cells_[place / per_cell_]);
    }
    rows_.resize((count + columns_ - 1) / columns_);
    for (std::uint64_t i = 0; i < count; ++i) {
      rows_[i / columns_].Add(cells_[i]);
      all_.Add(cells_[i]);
    }
  }

  std::string Draw() {
    const int below = kTop + static_cast<int>(rows_.size()) * side_ + 36;
    const int left = kMargin + kGutter;
    const int right = left + kPanel + kBetween;
    const int height = below + kLine * LegendLines() + kMargin;
    absl::StrAppendFormat(&out_,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                          "viewBox=\"0 0 %d %d\" role=\"img\">\n",
                          kWidth, height, kWidth, height);
    Heading();
    Style();
    absl::StrAppend(&out_, "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
    Titles(left, right);
    Offsets();
    Panel(left, kKinds, [](const Sum& cell) { return Most(cell.kinds); });
    Tooltips(left, [this](const Sum& row) { return KindsOf(row); });
    Panel(right, kOwners, [](const Sum& cell) { return Most(cell.owners); });
    Tooltips(right, [this](const Sum& row) { return OwnersOf(row); });
    LegendOfKinds(left, below);
    LegendOfOwners(right, below);
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  struct Entry {
    std::string_view style;
    std::string name;
    std::uint64_t bytes = 0;
  };

  // The largest namespaces get a colour each.
  void ChooseOwners() {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < map_.namespaces.size(); ++i) {
      if (!map_.namespaces[i].hidden) {
        order.push_back(i);
      }
    }
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return map_.namespaces[a].bytes > map_.namespaces[b].bytes;
    });
    colour_.assign(map_.namespaces.size() + 1, kOther);
    colour_[0] = kNobody;
    for (std::size_t i = 0; i < order.size() && i < kOwnersShown; ++i) {
      colour_[order[i] + 1] = i;
      owners_.push_back({kOwners.at(i).style, NameOf(map_.namespaces[order[i]].path),
                         map_.namespaces[order[i]].bytes});
    }
    if (order.size() > kOwnersShown) {
      Entry others{kOwners.at(kOther).style,
                   absl::StrCat(order.size() - kOwnersShown, order.size() == kOwnersShown + 1
                                                                 ? " other namespace"
                                                                 : " other namespaces")};
      for (std::size_t i = kOwnersShown; i < order.size(); ++i) {
        others.bytes += map_.namespaces[order[i]].bytes;
      }
      owners_.push_back(std::move(others));
    }
  }

  // A span, or as many bytes of the tables in front or of what lies behind.
  void AddPlace(std::uint64_t place, Sum* cell) const {
    const std::uint64_t front = map_.data_offset / map_.span_bytes;
    if (place < front || place - front >= map_.spans.size()) {
      const std::uint64_t bytes =
          std::min(map_.span_bytes, map_.file_bytes - place * map_.span_bytes);
      cell->Add(place < front ? kTables : kEnd, kNobody, bytes);
      return;
    }
    const inspect::SpanPlace& span = map_.spans[place - front];
    const alloc::SpanSpace& space = span.space;
    const bool has_blocks =
        space.kind == Kind::kSmall || space.kind == Kind::kLeaving || space.kind == Kind::kRun;
    cell->Add(PaintOf(space), has_blocks ? colour_.at(span.owner) : kNobody, map_.span_bytes);
    cell->live += has_blocks ? space.live_bytes : 0;
    cell->room += has_blocks ? map_.span_bytes - space.overhead_bytes : 0;
  }

  [[nodiscard]] std::uint64_t CellBytes() const { return per_cell_ * map_.span_bytes; }

  void Heading() { absl::StrAppend(&out_, "<title>", Escape(stats_.path), "</title>\n"); }

  void Style() {
    out_ +=
        "<style>\n"
        "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}"
        ".h{font-size:20px;font-weight:600}.p{font-size:14px;font-weight:600}"
        ".m{fill:#59636e}.e{text-anchor:end}.bg{fill:#fff}.t{fill:none;pointer-events:all}";
    for (std::size_t i = 0; i < kFills.size(); ++i) {
      absl::StrAppend(&out_, ".f", i, "{fill-opacity:", base::ToAbsl(kFills.at(i)), "}");
    }
    Colours(&Paint::light);
    out_ +=
        "\n@media(prefers-color-scheme:dark){text{fill:#e6edf3}.m{fill:#9198a1}.bg{fill:#0d1117}";
    Colours(&Paint::dark);
    out_ += "}\n</style>\n";
  }
  void Colours(std::string_view Paint::*shade) {
    const auto colour = [&](const Paint& paint) {
      absl::StrAppend(&out_, ".", base::ToAbsl(paint.style), "{fill:", base::ToAbsl(paint.*shade),
                      "}");
    };
    std::for_each(kKinds.begin(), kKinds.end(), colour);
    std::for_each(kOwners.begin(), kOwners.end(), colour);
  }

  void Text(int x, int y, std::string_view style, std::string_view escaped) {
    absl::StrAppendFormat(&out_, "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n",
                          base::ToAbsl(style), x, y, base::ToAbsl(escaped));
  }

  void Titles(int left, int right) {
    const std::string_view path = stats_.path;
    Text(kMargin, 40, "h", Escape(path.substr(path.find_last_of('/') + 1)));
    Text(kMargin, 62, "m",
         absl::StrCat("file ", ShowSize(map_.file_bytes), ", on disk ", ShowSize(stats_.disk_bytes),
                      ", live ", ShowSize(stats_.used_bytes), " in ", ShowCount(stats_.keys),
                      " keys. A cell is ", ShowSize(CellBytes()), ", a row ",
                      ShowSize(columns_ * CellBytes()),
                      "; the paler a colour, the less of the place is in use."));
    Text(left, kTop - 14, "p", "What it is");
    Text(right, kTop - 14, "p", "Whose it is: the namespace with the most bytes in a place");
  }

  // Of the first row, and of others that are far enough apart to be read.
  void Offsets() {
    std::size_t step = 1;
    while (static_cast<int>(step) * side_ < kLine) {
      step *= 2;
    }
    for (std::size_t row = 0; row < rows_.size(); row += step) {
      const int y = kTop + static_cast<int>(row) * side_ + std::min(side_, 15) - 3;
      Text(kMargin + kGutter - 10, y, "m e",
           row == 0 ? "0" : ShowSize(row * columns_ * CellBytes()));
    }
  }

  // One path for each colour and fill, in units of a cell.
  template <std::size_t count, typename Choose>
  void Panel(int x, const std::array<Paint, count>& paints, Choose choose) {
    const std::string inner = absl::StrCat(1 - 1.0 / side_).substr(1);
    const std::string square = absl::StrCat("h", inner, "v", inner, "h-", inner, "z");
    std::map<std::pair<std::size_t, std::size_t>, std::string> paths;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const std::size_t paint = choose(cells_[i]);
      const bool pale = paints.at(paint).style != kOwners.at(kNobody).style;
      absl::StrAppend(&paths[{paint, pale ? cells_[i].Fill() : kFills.size() - 1}], "M",
                      i % columns_, " ", i / columns_, square);
    }
    absl::StrAppendFormat(&out_, "<g transform=\"translate(%d %d) scale(%d)\">\n", x, kTop, side_);
    for (const auto& [key, path] : paths) {
      absl::StrAppend(&out_, "<path class=\"", base::ToAbsl(paints.at(key.first).style), " f",
                      key.second, "\" d=\"", path, "\"/>\n");
    }
    out_ += "</g>\n";
  }

  template <typename Tell>
  void Tooltips(int x, Tell tell) {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      const std::uint64_t begin = row * columns_ * CellBytes();
      const std::uint64_t end = std::min(begin + columns_ * CellBytes(), map_.file_bytes);
      absl::StrAppendFormat(&out_,
                            "<rect class=\"t\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"><title>"
                            "%s to %s: %s</title></rect>\n",
                            x, kTop + static_cast<int>(row) * side_, kPanel, side_, ShowSize(begin),
                            ShowSize(end), tell(rows_[row]));
    }
  }

  [[nodiscard]] std::string KindsOf(const Sum& row) const {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < kPaints; ++i) {
      entries.push_back({"", std::string(kKinds.at(i).name), row.kinds.at(i)});
    }
    return absl::StrCat(Listed(std::move(entries)), "; ", ShowPart(row.live, row.room), " in use");
  }
  [[nodiscard]] std::string OwnersOf(const Sum& row) const {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < kOwners.size(); ++i) {
      entries.push_back({"",
                         i < owners_.size() && i < kOwnersShown ? owners_[i].name
                                                                : std::string(kOwners.at(i).name),
                         row.owners.at(i)});
    }
    return Listed(std::move(entries));
  }
  // The four largest.
  static std::string Listed(std::vector<Entry> entries) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.bytes > b.bytes; });
    std::string text;
    for (std::size_t i = 0; i < entries.size() && i < 4 && entries[i].bytes != 0; ++i) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", entries[i].name, " ",
                      ShowSize(entries[i].bytes));
    }
    return text;
  }

  // --- Legends: two columns below each picture ---

  [[nodiscard]] std::vector<Entry> Kinds() const {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < kPaints; ++i) {
      if (all_.kinds.at(i) != 0) {
        entries.push_back({kKinds.at(i).style, std::string(kKinds.at(i).name), all_.kinds.at(i)});
      }
    }
    return entries;
  }
  [[nodiscard]] int LegendLines() const {
    return 1 + static_cast<int>((std::max(Kinds().size(), owners_.size() + 1) + 1) / 2);
  }
  void Legend(int x, int y, const std::vector<Entry>& entries) {
    const std::size_t lines = std::max<std::size_t>(1, (entries.size() + 1) / 2);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const int at_x = x + (i < lines ? 0 : kPanel / 2 + 10);
      const int at_y = y + static_cast<int>(i % lines) * kLine;
      absl::StrAppendFormat(
          &out_, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" rx=\"2\"/>\n",
          base::ToAbsl(entries[i].style), at_x, at_y - 11);
      Text(at_x + 20, at_y, "", entries[i].name);
      Text(at_x + kPanel / 2 - 30, at_y, "m e", ShowSize(entries[i].bytes));
    }
  }
  void LegendOfKinds(int x, int y) {
    const std::vector<Entry> entries = Kinds();
    Legend(x, y, entries);
  }
  void LegendOfOwners(int x, int y) {
    std::vector<Entry> entries = owners_;
    entries.push_back({kOwners.at(kNobody).style, std::string(kOwners.at(kNobody).name),
                       all_.owners.at(kNobody)});
    Legend(x, y, entries);
  }

  const StoreStats& stats_;
  const inspect::SpaceMap& map_;
  std::uint64_t per_cell_ = 1;  // Spans.
  std::uint64_t columns_ = 0;
  int side_ = 0;  // Of a cell, in pixels.
  std::vector<Sum> cells_;
  std::vector<Sum> rows_;
  Sum all_;
  std::vector<std::size_t> colour_;  // Of a namespace's place plus one.
  std::vector<Entry> owners_;        // Those with a colour, largest first; then the others.
  std::string out_;
};

}  // namespace

std::string DrawSpace(const StoreStats& stats, const inspect::SpaceMap& map) {
  return Drawing(stats, map).Draw();
}

}  // namespace commy::tools
