#include "macs/http.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sekimori::macs {
namespace {

// Reads all requests of `bytes`, which come in pieces of `piece`; an error as "400 ...".
std::vector<std::string> read_all(const std::string& bytes, std::size_t piece, HttpLimits limits = {}) {
  HttpReader reader(limits);
  std::string buffer;
  std::vector<std::string> found;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    buffer += bytes.substr(at, piece);
    for (;;) {
      const auto outcome = reader.read(buffer);
      if (outcome == HttpReader::Outcome::kMore) break;
      if (outcome == HttpReader::Outcome::kError) {
        found.push_back(std::to_string(reader.error().status));
        return found;
      }
      const HttpRequest request = reader.take();
      std::string text = request.method + " " + request.path;
      for (const auto& [name, value] : request.query) text += "?" + name + "=" + value;
      if (!request.body.empty()) text += " {" + request.body + "}";
      if (!request.keeps_open) text += " close";
      found.push_back(text);
    }
  }
  if (reader.has_begun(buffer)) found.emplace_back("more");
  return found;
}

using Texts = std::vector<std::string>;

// However TCP cuts the bytes, they mean the same.
TEST(HttpReader, AnyPieces) {
  const std::string bytes =
      "GET /v1/macs?owner=vc1%2Fvm-7&state=freed&x=a+b HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /v1/allocate HTTP/1.1\r\nhost: a\r\nContent-Length:  7 \r\nX: \r\n\r\n{\"a\":1}"
      "GET / HTTP/1.1\r\nHost:a\r\nConnection: Keep-Alive, Close\r\n\r\n"
      "GET /old HTTP/1.0\r\n\r\n";
  const Texts expected{"GET /v1/macs?owner=vc1/vm-7?state=freed?x=a b", "POST /v1/allocate {{\"a\":1}}",
                       "GET / close", "GET /old close"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(read_all(bytes, piece), expected) << piece;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Texts some = read_all(bytes.substr(0, cut), bytes.size());
    if (!some.empty() && some.back() == "more") some.pop_back();
    EXPECT_TRUE(std::equal(some.begin(), some.end(), expected.begin())) << cut;
  }
}

TEST(HttpReader, WhatIsRefused) {
  const std::string get = "GET / HTTP/1.1\r\n", host = "Host: a\r\n", end = "\r\n";
  const struct {
    std::string bytes;
    std::string status;
  } kCases[] = {
      {get + end, "400"},                                                         // no Host
      {get + host + host + end, "400"},                                           //
      {get + host + "Content-Length: 1\r\nContent-Length: 2\r\n" + end, "400"},   // two lengths
      {get + host + "Content-Length: 1, 1\r\n" + end, "400"},                     //
      {get + host + "Content-Length: -1\r\n" + end, "400"},                       //
      {get + host + "Content-Length: +1\r\n" + end, "400"},                       //
      {get + host + "Content-Length: 0x1\r\n" + end, "400"},                      //
      {get + host + "Content-Length:\r\n" + end, "400"},                          //
      {get + host + "Content-Length: 99999999999999999999999\r\n" + end, "413"},  //
      {get + host + "Content-Length: 1048577\r\n" + end, "413"},                  //
      {get + host + "Transfer-Encoding: chunked\r\n" + end, "501"},               //
      {get + host + "Transfer-Encoding : chunked\r\n" + end, "400"},              // a space
      {get + host + " folded: x\r\n" + end, "400"},                               //
      {get + "Host: a\nX: y\r\n" + end, "400"},                                   // a bare line feed
      {get + host + std::string("X: \0\r\n", 6) + end, "400"},                    //
      {get + host + "no colon\r\n" + end, "400"},                                 //
      {get + host + ": x\r\n" + end, "400"},                                      //
      {get + host + "Expect: 200-ok\r\n" + end, "417"},                           //
      {"GET / HTTP/2.0\r\n" + host + end, "505"},                                 //
      {"GET /\r\n" + host + end, "400"},                                          //
      {"GET  / HTTP/1.1\r\n" + host + end, "400"},                                //
      {"GET / http/1.1\r\n" + host + end, "400"},                                 //
      {"G\"T / HTTP/1.1\r\n" + host + end, "400"},                                //
      {"GET http://a/ HTTP/1.1\r\n" + host + end, "400"},                         //
      {"GET /%zz HTTP/1.1\r\n" + host + end, "400"},                              //
      {"GET /%00 HTTP/1.1\r\n" + host + end, "400"},                              //
      {"GET /%4 HTTP/1.1\r\n" + host + end, "400"},                               //
      {"GET /?a=1&a=2 HTTP/1.1\r\n" + host + end, "400"},                         //
      {"POST / HTTP/1.1\r\n" + host + end, "411"},                                //
      {"\r\n" + get + host + end, "400"},                                         //
      {"\x16\x03\x01\x02 hello TLS\r\n\r\n", "400"},                              //
      {get + "X: " + std::string(20'000, 'x'), "431"},                            // no end yet
      {get + host + "X: " + std::string(20'000, 'x') + "\r\n" + end, "431"},      //
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(read_all(c.bytes, c.bytes.size()), Texts{c.status}) << c.bytes.substr(0, 80);
    EXPECT_EQ(read_all(c.bytes, 1), Texts{c.status}) << c.bytes.substr(0, 80);
  }
}

TEST(HttpReader, TellsOnceToContinue) {
  HttpReader reader({});
  std::string bytes = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n";
  EXPECT_EQ(reader.read(bytes), HttpReader::Outcome::kMore);
  EXPECT_FALSE(reader.wants_continue());
  bytes += "\r\n";
  EXPECT_EQ(reader.read(bytes), HttpReader::Outcome::kMore);
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_FALSE(reader.wants_continue());
  bytes += "{}";
  EXPECT_EQ(reader.read(bytes), HttpReader::Outcome::kRequest);
  EXPECT_EQ(reader.take().body, "{}");
  EXPECT_FALSE(reader.has_begun(bytes));
}

TEST(HttpAnswer, Bytes) {
  const std::string bytes = to_bytes({.status = 405, .body = "{}", .fields = {{"Allow", "GET"}}}, false);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_TRUE(bytes.contains("\r\nAllow: GET\r\n"));
  EXPECT_TRUE(bytes.contains("\r\nContent-Length: 2\r\n"));
  EXPECT_TRUE(bytes.contains("\r\nConnection: close\r\n"));
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n{}"));
}

}  // namespace
}  // namespace sekimori::macs
