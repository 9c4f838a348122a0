// lib/http and lib/list_query: requests as web servers send them, without a server.
#include <gtest/gtest.h>

#include "lib/http.h"
#include "lib/limit.h"
#include "lib/list_query.h"
#include "tests/unit/fake_request.h"

namespace {

int body_status(std::vector<std::string> variables, std::string body) {
  const Fake fake(std::move(variables), std::move(body));
  return status_of([&] { fake.request().body(); });
}

list_query::ListQuery list_of(const std::string& query) {
  const Fake fake({"REQUEST_METHOD=GET", "REQUEST_URI=/api/tasks?" + query});
  return list_query::from(fake.request());
}

int list_status(const std::string& query) {
  return status_of([&] { list_of(query); });
}

}  // namespace

TEST(Request, aHeaderIsFoundByItsName) {
  const Fake fake({"REQUEST_METHOD=GET", "REQUEST_URI=/x", "HTTP_IF_MATCH=a", "HTTP_IF_MATCH_X=b",
                   "CONTENT_TYPE=t/x"});
  EXPECT_EQ(fake.request().header("if-match"), "a");
  EXPECT_EQ(fake.request().header("content-type"), "t/x");
  EXPECT_EQ(fake.request().header("if"), "");
}

TEST(Request, itsIdIsTheServersOrTheClientsIfItIsSafe) {
  EXPECT_EQ(Fake({"REQUEST_URI=/", "REQUEST_ID=abc", "HTTP_X_REQUEST_ID=def"}).request().id(),
            "abc");
  EXPECT_EQ(Fake({"REQUEST_URI=/", "HTTP_X_REQUEST_ID=d-e_f.1"}).request().id(), "d-e_f.1");
  for (const std::string& id :
       std::vector<std::string>{"", "a b", "a\nb", "\"", std::string(65, 'a')}) {
    const std::string made = Fake({"REQUEST_URI=/", "HTTP_X_REQUEST_ID=" + id}).request().id();
    EXPECT_NE(made, id);
    EXPECT_EQ(made.size(), 32U);
  }
}

TEST(Request, theFamilyIsToldByTheBasePath) {
  EXPECT_EQ(Fake({"REQUEST_URI=/api/auth"}).request().family(), http::Family::auth);
  EXPECT_EQ(Fake({"REQUEST_URI=/api/auth/ok?x"}).request().family(), http::Family::auth);
  EXPECT_EQ(Fake({"REQUEST_URI=/api/authors/tasks"}).request().family(), http::Family::api);
}

TEST(Request, aBodyIsReadByItsTypeOrByItsLook) {
  for (const std::string type :
       {"application/json", "Application/JSON; charset=UTF-8", "application/vnd.x+json",
        "application/json;charset=\"utf-8\"", ""})
    EXPECT_EQ(body_status({"CONTENT_TYPE=" + type}, " {}"), 0) << type;
  for (const std::string type :
       {"text/plain", "application/jsonp", "multipart/form-data; boundary=x", "json",
        "application/json; charset=utf-16"})
    EXPECT_EQ(body_status({"CONTENT_TYPE=" + type}, "{}"), 415) << type;
  EXPECT_EQ(body_status({}, "[]"), 415);
  EXPECT_EQ(body_status({"CONTENT_TYPE=application/json", "HTTP_CONTENT_ENCODING=gzip"}, "{}"),
            415);
  EXPECT_EQ(body_status({"CONTENT_TYPE=application/json", "HTTP_CONTENT_ENCODING=identity"}, "{}"),
            0);
}

TEST(Request, whatIsNoObjectIsRefused) {
  const std::vector<std::string> json{"CONTENT_TYPE=application/json"};
  EXPECT_EQ(body_status(json, ""), 422);
  EXPECT_EQ(body_status(json, "[]"), 422);
  EXPECT_EQ(body_status(json, "null"), 422);
  EXPECT_EQ(body_status(json, "   "), 400);
  EXPECT_EQ(body_status(json, "{} x"), 400);
  EXPECT_EQ(body_status(json, "{'a':1}"), 400);
}

TEST(Request, aBodyOverTheLimitIs413BeforeAllElse) {
  Fake fake({"CONTENT_TYPE=text/plain"});
  fake.raw().state = fcgi::Body::too_large;
  EXPECT_EQ(status_of([&] { fake.request().body(); }), 413);
  EXPECT_EQ(status_of([&] { fake.request().optional_body(); }), 413);
}

TEST(Query, theLastValueCountsAndAnEmptyOneIsNone) {
  const http::Query query("a=1&a=2&b=&c=x+y&c=");
  EXPECT_EQ(query.value("a"), "2");
  EXPECT_FALSE(query.value("b"));
  EXPECT_FALSE(query.value("c"));
  EXPECT_EQ(query.find({"z", "a"})->name, "a");
  EXPECT_EQ(status_of([] { http::Query("a=%zz"); }), 400);
}

TEST(ListQuery, withoutParametersItIsPlain) {
  EXPECT_TRUE(list_of("").is_plain());
  EXPECT_TRUE(list_of("status=all&foo=bar&search=%20&order=desc&sort=priority").is_plain());
  EXPECT_FALSE(list_of("limit=5").is_plain());
  EXPECT_FALSE(list_of("sort=created&order=asc").is_plain());
}

TEST(ListQuery, everyAliasOfAValueMeansTheSame) {
  for (const std::string value : {"pending", "active", "incomplete", "open", "todo"})
    EXPECT_EQ(list_of("filter=" + value).status, false) << value;
  for (const std::string value : {"completed", "complete", "done"})
    EXPECT_EQ(list_of("status=" + value).status, true);
  for (const std::string value :
       {"-title", "title:desc", "title:DESC", "alphabetical&order=DESC", "name&direction=desc"})
    EXPECT_EQ(list_of("sort=" + value).order, (list_query::Order{list_query::Key::title, true}))
        << value;
  EXPECT_EQ(list_of("sort_by=title").order, (list_query::Order{list_query::Key::title, false}));
  EXPECT_EQ(list_of("sort=updated_at").order, (list_query::Order{list_query::Key::updated, true}));
  EXPECT_EQ(list_of("sort=status").order, (list_query::Order{list_query::Key::completed, false}));
}

TEST(ListQuery, aValueThatIsNotListedIs422) {
  for (const std::string query :
       {"status=x", "completed=2", "sort=x", "sort=title:x", "order=x", "limit=0", "limit=501",
        "limit=1x", "limit=-1", "limit=%201", "offset=-1", "offset=2147483648", "page=0",
        "page=1&offset=0", "envelope=xml", "updated_since=yesterday", "limit=99999999999999999999"})
    EXPECT_EQ(list_status(query), 422) << query;
  EXPECT_EQ(list_status("search=" + std::string(201, 'x')), 422);
  EXPECT_EQ(list_status("search=" + std::string(200, 'x')), 0);
  EXPECT_EQ(list_status("search=%00"), 400);
}

TEST(ListQuery, aPageIsAnOffset) {
  EXPECT_EQ(list_of("page=3").offset, 100);
  EXPECT_EQ(list_of("page=3&per_page=10").offset, 20);
  EXPECT_EQ(list_of("skip=7&page_size=10").offset, 7);
}

TEST(ListQuery, linksKeepTheOtherParameters) {
  const Fake fake(
      {"REQUEST_METHOD=GET", "REQUEST_URI=/api/u/tasks?limit=10&search=a%20%26&offset=10"});
  const http::Request request = fake.request();
  const auto query = list_query::from(request);
  EXPECT_EQ(list_query::links(request, query, 25),
            "</api/u/tasks?limit=10&search=a+%26&offset=0>; rel=\"first\", "
            "</api/u/tasks?limit=10&search=a+%26&offset=0>; rel=\"prev\", "
            "</api/u/tasks?limit=10&search=a+%26&offset=20>; rel=\"next\", "
            "</api/u/tasks?limit=10&search=a+%26&offset=20>; rel=\"last\"");
}

TEST(ListQuery, linksThatNobodyWouldTakeAreLeftOut) {
  const auto links = [](const std::string& parameters) {
    const Fake fake({"REQUEST_METHOD=GET", "REQUEST_URI=/api/tasks?limit=1" + parameters});
    return list_query::links(fake.request(), list_query::from(fake.request()), 2);
  };
  EXPECT_TRUE(links("&x=" + std::string(2000, 'y')));
  EXPECT_FALSE(links("&x=" + std::string(5000, 'y')));
}

TEST(ListQuery, everyEnvelopeHasItsMembers) {
  const list_query::Counts counts{25, 4, 10};
  EXPECT_EQ(
      list_query::enveloped("[]", list_of("envelope=tasks&limit=10"), counts),
      R"({"tasks":[],"total":25,"count":10,"limit":10,"offset":0,"completed_count":4,"pending_count":21})");
  EXPECT_EQ(
      list_query::enveloped("[]", list_of("envelope=items&page=2&limit=10"), counts),
      R"({"items":[],"total":25,"page":2,"limit":10,"skip":10,"total_pages":3,"has_more":true})");
  EXPECT_EQ(list_query::enveloped("[]", list_of("envelope=data"), counts),
            R"({"data":[],"total":25,"limit":null,"offset":0})");
}

TEST(Limit, everyPathHasTheContractsRule) {
  for (const auto path : {"/sign-in/email", "/sign-up/email", "/change-password", "/change-email"})
    EXPECT_EQ(limit::rule_for(path).most, 3);
  EXPECT_EQ(limit::rule_for("/request-password-reset").window, std::chrono::seconds(60));
  EXPECT_EQ(limit::rule_for("/get-session").most, 100);
  EXPECT_EQ(limit::rule_for("").most, 100);
}
