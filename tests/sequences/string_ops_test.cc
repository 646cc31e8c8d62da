// A million random calls of strings against std::string, with tiny nodes and characters of one to
// four bytes: of the string itself, in edits and in transactions.
#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "commy/commy.h"
#include "sequences/small_sequences.h"
#include "support/seed.h"
#include "support/slow_build.h"
#include "support/store_fixture.h"

namespace commy::test {
namespace {

using Random = std::mt19937_64;

bool GoesOn(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

class StringOps {
 public:
  StringOps(Store store, std::uint64_t seed)
      : store_(std::move(store)),
        string_(*store_.OpenShared<SharedString>("text")),
        random_(seed) {}

  void Run(int calls) {
    int checked = 0;
    for (int done = 0; done < calls && !testing::Test::HasFailure();) {
      SCOPED_TRACE("call " + std::to_string(done));
      const std::uint64_t kind = Below(20);
      if (kind == 0) {
        done += InEdit();
      } else if (kind == 1) {
        done += InTransaction();
      } else {
        Change(string_, model_);
        Read(string_, model_);
        done += 2;
      }
      if (Below(2000) == 0) {
        ExpectSame();
      }
      if (done - checked > calls / 4) {
        checked = done;
        ASSERT_TRUE(IsSound(store_));
      }
    }
    ExpectSame();
    ASSERT_TRUE(string_.Clear().ok());
    EXPECT_LE(*string_.ns().Size(), 1U) << "nodes are left";
    ASSERT_TRUE(IsSound(store_));
  }

 private:
  using Model = std::string;

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }
  std::string Character() {
    static const std::vector<std::string> kCharacters = {
        "a", "b", "B", "z", " ", "\n", "\r\n", "é", "ß", "\u00a0", "€", "\u3000", "一", "😀", "𝄞"};
    return kCharacters[Below(kCharacters.size())];
  }
  std::string Some(std::uint64_t most) {
    std::string text;
    for (std::uint64_t left = Below(most + 1); left > 0; --left) {
      text += Character();
    }
    return text;
  }
  // A position; `cut`: inside a character, or past the end.
  std::uint64_t Position(const Model& model, bool* cut) {
    const std::uint64_t at = Below(model.size() + 2);
    *cut = at > model.size() || (at < model.size() && GoesOn(model[at]));
    return at;
  }
  static bool IsCut(const Model& model, std::uint64_t at) {
    return at < model.size() && GoesOn(model[at]);
  }

  template <typename String>
  void Change(const String& string, Model& model) {
    bool cut = false;
    const std::uint64_t at = Position(model, &cut);
    switch (Below(model.size() > 800 ? 22 : 17)) {
      case 0:
      case 1:
      case 2: {
        const std::string text = Some(Below(20) == 0 ? 100 : 4);
        ASSERT_TRUE(string.Append(text).ok());
        model += text;
        break;
      }
      case 3:
      case 4: {
        const char32_t character = Below(2) == 0 ? U'😀' : U'b';
        ASSERT_TRUE(string.PushChar(character).ok());
        model += character == U'b' ? "b" : "😀";
        break;
      }
      case 5:
      case 6: {
        const auto popped = string.PopChar();
        ASSERT_EQ(popped.ok(), !model.empty()) << popped.status();
        if (!model.empty()) {
          const auto lead = static_cast<unsigned char>(model[LastOf(model)]);
          EXPECT_EQ(*popped < 0x80, lead < 0x80);
          model.resize(LastOf(model));
        }
        break;
      }
      case 7:
      case 8:
      case 9: {
        const std::string text = Some(Below(20) == 0 ? 60 : 4);
        ASSERT_EQ(string.Insert(at, text).ok(), !cut);
        if (!cut) {
          model.insert(at, text);
        }
        break;
      }
      case 10:
      case 11:
      case 12: {
        const std::uint64_t count = Below(Below(30) == 0 ? 200 : 9);
        const std::string text = Below(2) == 0 ? Some(3) : "";
        const bool fits = !cut && count <= model.size() - at && !IsCut(model, at + count);
        ASSERT_EQ(string.ReplaceRange(at, count, text).ok(), fits);
        if (fits) {
          model.replace(at, count, text);
        }
        break;
      }
      case 13: {
        const std::string from = Character();
        const std::string to = Below(3) == 0 ? from : Character();
        const auto count = string.Replace(from, to);
        ASSERT_TRUE(count.ok()) << count.status();
        EXPECT_EQ(*count, ReplaceIn(model, from, to));
        break;
      }
      case 14: {
        const bool start = Below(2) == 0;
        const std::string text = Character();
        const auto there = start ? string.StripPrefix(text) : string.StripSuffix(text);
        ASSERT_TRUE(there.ok());
        EXPECT_EQ(*there, start ? model.starts_with(text) : model.ends_with(text));
        if (*there) {
          model.erase(start ? 0 : model.size() - text.size(), text.size());
        }
        break;
      }
      case 15:
        Rewrite(string, model);
        break;
      case 16:
        if (Below(20) == 0) {
          const std::string text = Some(400);
          ASSERT_TRUE(string.Set(text).ok());
          model = text;
        }
        break;
      default: {  // Large ones become small again.
        if (Below(8) == 0) {
          ASSERT_TRUE(string.Clear().ok());
          model.clear();
          break;
        }
        const bool inside = IsCut(model, at);
        ASSERT_EQ(string.Truncate(at).ok(), !inside);
        if (!inside) {
          model.resize(std::min<std::uint64_t>(model.size(), at));
        }
        break;
      }
    }
  }

  template <typename String>
  void Rewrite(const String& string, Model& model) {
    switch (Below(5)) {
      case 0:
        ASSERT_TRUE(string.ToUpper().ok());
        ReplaceIn(model, "a", "A");
        ReplaceIn(model, "b", "B");
        ReplaceIn(model, "z", "Z");
        break;
      case 1:
        ASSERT_TRUE(string.ToLower().ok());
        ReplaceIn(model, "A", "a");
        ReplaceIn(model, "B", "b");
        ReplaceIn(model, "Z", "z");
        break;
      case 2: {
        const std::string text = Some(5);
        ASSERT_TRUE(string.Update([&text](const std::string& was) { return text + was; }).ok());
        model.insert(0, text);
        break;
      }
      case 3: {
        const std::uint64_t times = model.size() < 100 ? Below(4) : 1;
        ASSERT_TRUE(string.Repeat(times).ok());
        const std::string once = std::exchange(model, "");
        for (std::uint64_t i = 0; i < times; ++i) {
          model += once;
        }
        break;
      }
      default:
        ASSERT_TRUE(string.Trim().ok());
        for (bool more = true; more;) {
          more = false;
          for (const std::string_view space : {" ", "\n", "\r", "\u00a0", "\u3000"}) {
            if (model.starts_with(space)) {
              model.erase(0, space.size());
              more = true;
            }
            if (model.ends_with(space)) {
              model.resize(model.size() - space.size());
              more = true;
            }
          }
        }
        break;
    }
  }

  template <typename String>
  void Read(const String& string, const Model& model) {
    ASSERT_EQ(*string.ByteCount(), model.size());
    bool cut = false;
    const std::uint64_t at = Position(model, &cut);
    ASSERT_EQ(*string.IsCharBoundary(at), !cut);
    switch (Below(8)) {
      case 0: {
        const std::uint64_t count = Below(50);
        const auto slice = string.Slice(at, count);
        const bool fits = !cut && !IsCut(model, at + count);
        ASSERT_EQ(slice.ok(), fits) << slice.status();
        if (fits) {
          EXPECT_EQ(*slice, model.substr(at, count));
        }
        break;
      }
      case 1: {
        const std::string text = cut ? Character() + Character() : model.substr(at, 1 + Below(20));
        const auto found = string.Find(text);
        const auto last = string.RFind(text, at);
        if (IsUtf8End(text)) {
          ASSERT_TRUE(found.ok() && last.ok()) << found.status() << last.status();
          EXPECT_EQ(found->value_or(std::string::npos), model.find(text));
          if (!text.empty()) {
            EXPECT_EQ(last->value_or(std::string::npos), model.rfind(text, at));
          }
        } else {
          EXPECT_TRUE(absl::IsInvalidArgument(found.status()));
        }
        break;
      }
      case 2: {
        const auto count = static_cast<std::uint64_t>(
            std::count_if(model.begin(), model.end(), [](char byte) { return !GoesOn(byte); }));
        ASSERT_EQ(*string.CharCount(), count);
        const std::uint64_t from = Below(count + 2);
        const auto part = string.Substring(from, 3);
        ASSERT_EQ(part.ok(), from <= count);
        if (part.ok()) {
          EXPECT_EQ(*part, model.substr(ByteOf(model, from),
                                        ByteOf(model, from + 3) - ByteOf(model, from)));
        }
        ASSERT_EQ(string.CharAt(from).ok(), from < count);
        break;
      }
      case 3: {
        EXPECT_EQ(*string.Split("a"), SplitIn(model, "a"));
        std::string all;
        ASSERT_TRUE(string
                        .ForEachPiece([&all](std::string_view piece) {
                          EXPECT_FALSE(GoesOn(piece.front()));
                          all += piece;
                        })
                        .ok());
        ASSERT_EQ(all, model);
        break;
      }
      case 4: {
        const std::string text = Character();
        EXPECT_EQ(*string.StartsWith(text), model.starts_with(text));
        EXPECT_EQ(*string.EndsWith(text), model.ends_with(text));
        EXPECT_TRUE(*string.Equals(model));
        break;
      }
      default:
        break;
    }
  }

  int InEdit() {
    Model changed = model_;
    auto edit = string_.Edit();
    EXPECT_TRUE(edit.ok()) << edit.status();
    const int calls = static_cast<int>(Below(40));
    for (int i = 0; i < calls && !testing::Test::HasFailure(); ++i) {
      Change(*edit, changed);
      Read(*edit, changed);
    }
    Read(string_, model_);  // Which sees none of it.
    if (Below(4) != 0) {
      const absl::Status published = edit->Publish();
      EXPECT_TRUE(published.ok()) << published;
      model_ = changed;
    }
    return 2 * calls + 1;
  }

  int InTransaction() {
    Model changed = model_;
    const int calls = static_cast<int>(Below(8));
    const bool commits = Below(4) != 0;
    const absl::Status done = store_.Transact([&](Transaction& txn) -> absl::Status {
      changed = model_;
      const TransactionString in = string_.In(txn);
      for (int i = 0; i < calls && !testing::Test::HasFailure(); ++i) {
        Change(in, changed);
        Read(in, changed);
      }
      return commits ? absl::OkStatus() : absl::CancelledError("");
    });
    EXPECT_EQ(done.ok(), commits) << done;
    if (commits) {
      model_ = changed;
    }
    return 2 * calls + 1;
  }

  void ExpectSame() {
    const auto all = string_.Get();
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(*all, model_);
  }

  static std::size_t LastOf(const Model& model) {
    std::size_t at = model.size() - 1;
    while (GoesOn(model[at])) {
      --at;
    }
    return at;
  }
  // Whether a part of a text that begins with a character ends with a whole one.
  static bool IsUtf8End(const std::string& text) {
    if (text.empty()) {
      return true;
    }
    const std::size_t last = LastOf(text);
    const auto lead = static_cast<unsigned char>(text[last]);
    return text.size() - last == (lead < 0x80 ? 1U : lead < 0xE0 ? 2U : lead < 0xF0 ? 3U : 4U);
  }
  static std::size_t ByteOf(const Model& model, std::uint64_t character) {
    std::size_t at = 0;
    for (; at < model.size(); ++at) {
      if (!GoesOn(model[at]) && character-- == 0) {
        break;
      }
    }
    return at;
  }
  static std::uint64_t ReplaceIn(Model& model, std::string_view from, std::string_view to) {
    std::uint64_t count = 0;
    for (std::size_t at = model.find(from); at != Model::npos;
         at = model.find(from, at + to.size())) {
      model.replace(at, from.size(), to);
      ++count;
    }
    return count;
  }
  static std::vector<std::string> SplitIn(const Model& model, std::string_view separator) {
    std::vector<std::string> parts;
    std::size_t from = 0;
    for (std::size_t at = model.find(separator); at != Model::npos;
         at = model.find(separator, from)) {
      parts.push_back(model.substr(from, at - from));
      from = at + separator.size();
    }
    parts.push_back(model.substr(from));
    return parts;
  }

  Store store_;
  SharedString string_;
  Random random_;
  Model model_;
};

class StringOpsTest : public StoreFixture {};

TEST_F(StringOpsTest, AStringIsAsStdString) {
  const SmallSequences small;
  StringOps(MustOpen(QuietOptions()), Seed()).Run(Calls(1'000'000));
}

}  // namespace
}  // namespace commy::test
