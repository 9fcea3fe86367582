// Certificates made for one test.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace gelato::edge {

// A key and its certificate, as PEM texts.
struct Certificate {
  std::string cert;
  std::string key;
};

// Signs certificates; `name` tells one authority from another.
class Authority {
 public:
  explicit Authority(const std::string& name)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), cert_(make(name, key_.get(), nullptr, 1)) {}

  [[nodiscard]] std::string pem() const { return pem_of(cert_.get()); }
  // For a server on this machine, or for a client of that name.
  [[nodiscard]] Certificate issue(const std::string& name) {
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Cert cert = make(name, key.get(), this, ++serial_);
    const Bio out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return {.cert = pem_of(cert.get()), .key = text_of(out.get())};
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Cert = std::unique_ptr<X509, decltype(&X509_free)>;
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

  static Cert make(const std::string& name, EVP_PKEY* key, const Authority* issuer, long serial) {
    Cert cert(X509_new(), X509_free);
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(
        cert.get(), X509_get_subject_name(issuer == nullptr ? cert.get() : issuer->cert_.get()));
    X509_set_pubkey(cert.get(), key);
    extend(cert.get(), NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (issuer != nullptr) {
      extend(cert.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    }
    X509_sign(cert.get(), issuer == nullptr ? key : issuer->key_.get(), EVP_sha256());
    return cert;
  }
  static void extend(X509* cert, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static std::string pem_of(X509* cert) {
    const Bio out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(out.get(), cert);
    return text_of(out.get());
  }
  static std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
  }

  Key key_;
  Cert cert_;
  long serial_ = 1;
};

inline std::string write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  return path.string();
}

}  // namespace gelato::edge
