// recover: its output and its exit status.
#include <fstream>
#include <iterator>

#include "nlohmann/json.hpp"

#include "tools/cli_fixture.h"

namespace commy::test {
namespace {

class CliRecoverTest : public CliFixture {
 protected:
  void Fill() const {
    const Namespace ns = MustOpen(store_, "acme/config");
    for (const char* const key : {"one", "it's", "three"}) {
      ASSERT_TRUE(ns.Put(key, std::string("value of ") + key).ok());
    }
    ASSERT_TRUE(ns.Delete("three").ok());
  }
  // Changes a byte of `text` in the file.
  void Damage(const std::string& text) const {
    std::ifstream in(store_, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const std::size_t at = bytes.find(text);
    ASSERT_NE(at, std::string::npos);
    std::fstream out(store_, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out.put('X');
  }

  const std::string store_ = temp_.File("torn.commy");
  const std::string saved_ = temp_.File("saved.commy");
};

TEST_F(CliRecoverTest, RecoverSavesASoundStoreWhole) {
  Fill();
  const std::string text = Done({"recover", store_, saved_});
  EXPECT_TRUE(text.starts_with("saved 2 keys in 1 namespaces to " + saved_)) << text;
  EXPECT_TRUE(text.ends_with("whole\n")) << text;
  EXPECT_EQ(Done({"get", saved_, "acme/config", "one"}), "value of one");
  EXPECT_TRUE(Done({"check", saved_}).ends_with("sound\n"));
}

TEST_F(CliRecoverTest, RecoverReportsLossesAndEndsWithStatusOne) {
  Fill();
  Damage("value of it's");
  const ProgramEnd end = RunCommy({"recover", store_, saved_});
  EXPECT_EQ(end.code, 1);
  EXPECT_EQ(end.err, "");
  EXPECT_NE(end.out.find("known to be lost: 1 keys;"), std::string::npos) << end.out;
  EXPECT_NE(end.out.find("; 0 transactions are torn\n"), std::string::npos) << end.out;
  EXPECT_NE(end.out.find("its key was perhaps \"it's\"\n"), std::string::npos) << end.out;
  EXPECT_TRUE(end.out.ends_with("NOT whole\n")) << end.out;
  EXPECT_EQ(Done({"get", saved_, "acme/config", "one"}), "value of one");

  const ProgramEnd again = RunCommy({"recover", store_, temp_.File("again"), "--json"});
  EXPECT_EQ(again.code, 1);
  const auto report = nlohmann::json::parse(again.out);
  EXPECT_EQ(report["whole"], false);
  EXPECT_EQ(report["keys"], 1);
  EXPECT_EQ(report["keys_lost"], 1);
  EXPECT_EQ(report["records_damaged"], 1);
  EXPECT_EQ(report["transactions_torn"], 0);
}

TEST_F(CliRecoverTest, RecoverFailsWithALineThatNamesTheRemedy) {
  Fails(3, {"recover", store_, saved_}, {store_, "No such file", "name a store file"});
  Fill();
  std::ofstream(saved_) << "mine";
  Fails(3, {"recover", store_, saved_}, {saved_, "exists", "choose another destination"});
  Fails(2, {"recover", store_}, {"DEST"});
}

}  // namespace
}  // namespace commy::test
