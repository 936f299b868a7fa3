// For tests: a certificate authority that is made on the spot, and a blocking TLS client.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "sink/test_client.h"

namespace hopcheck::sink {

// One certificate that is its own authority, for 127.0.0.1 and localhost: `certificate` is also what a client trusts.
struct TestCertificate {
  std::string certificate, key;  // PEM files

  TestCertificate(const std::string& dir, const std::string& name, long days = 1)
      : certificate(dir + "/" + name + ".pem"), key(dir + "/" + name + ".key") {
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -2 * 86'400);
    X509_gmtime_adj(X509_getm_notAfter(cert), days * 86'400);
    X509_set_pubkey(cert, pair);
    X509_NAME* subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(cert, subject);
    add(cert, NID_basic_constraints, "critical,CA:TRUE");
    add(cert, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    EXPECT_GT(X509_sign(cert, pair, EVP_sha256()), 0);
    const auto write = [](const std::string& path, auto put) {
      FILE* file = std::fopen(path.c_str(), "w");
      ASSERT_NE(file, nullptr) << path;
      put(file);
      std::fclose(file);
    };
    write(certificate, [&](FILE* file) { PEM_write_X509(file, cert); });
    write(key, [&](FILE* file) { PEM_write_PrivateKey(file, pair, nullptr, nullptr, 0, nullptr, nullptr); });
    X509_free(cert);
    EVP_PKEY_free(pair);
  }

 private:
  static void add(X509* cert, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    ASSERT_NE(extension, nullptr);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
};

class TlsClient {
 public:
  // Trusts `authority` alone; offers one ALPN protocol, "" = none.
  TlsClient(uint16_t port, const std::string& authority, const std::string& alpn, int most_version = 0)
      : context_(SSL_CTX_new(TLS_client_method())) {
    if (most_version != 0) SSL_CTX_set_max_proto_version(context_, most_version);
    SSL_CTX_set_cipher_list(context_, "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    EXPECT_EQ(SSL_CTX_load_verify_locations(context_, authority.c_str(), nullptr), 1);
    ssl_ = SSL_new(context_);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), "127.0.0.1");
    if (!alpn.empty()) {
      const std::string wire = static_cast<char>(alpn.size()) + alpn;
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
    }
    BIO* bio = BIO_new_connect(("127.0.0.1:" + std::to_string(port)).c_str());
    SSL_set_bio(ssl_, bio, bio);
    connected_ = BIO_do_connect(bio) == 1 && SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ERR_clear_error();
  }
  TlsClient(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  std::string protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &chosen, &size);
    return {reinterpret_cast<const char*>(chosen), size};
  }
  bool send(const std::string& bytes) {
    return bytes.empty() || SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  // "" when the connection has ended.
  std::string some() {
    char bytes[65536];
    const int size = SSL_read(ssl_, bytes, sizeof bytes);
    return {bytes, static_cast<size_t>(size > 0 ? size : 0)};
  }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
};

}  // namespace hopcheck::sink
