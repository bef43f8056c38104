// A certificate of its own for 127.0.0.1 and localhost, valid for a hundred years. Worth nothing anywhere else.
#pragma once

namespace openrknn::test {

inline constexpr const char* kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBozCCAUmgAwIBAgIUO1A5Jnsk1ghKENrejFi0DqME18owCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNb3BlbnJrbm4gdGVzdDAgFw0yNjExMzAxMzM4MzZaGA8yMTI2
MTEwNjEzMzgzNlowGDEWMBQGA1UEAwwNb3BlbnJrbm4gdGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABJvEfuG432KPyJbIlxWZl9vjwG75aDr7qwbF8pchpxKS
CUiunZL2JwUch0gKJgh9d0oejgKifz02WxwQUkHeCuqjbzBtMB0GA1UdDgQWBBQr
eZCAIAFbQ+ltTg02L9EOEUtDhzAfBgNVHSMEGDAWgBQreZCAIAFbQ+ltTg02L9EO
EUtDhzAPBgNVHRMBAf8EBTADAQH/MBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9z
dDAKBggqhkjOPQQDAgNIADBFAiEA898zp0drPrcWCTEmwGEL3q8xI+gE0R1xeVSX
z88kq4ECIB1eQo6PVj6O1/mD//JIBjk0fEaxjFIu73rSaA84ZX4M
-----END CERTIFICATE-----
)";
inline constexpr const char* kCertificateKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghGiD3Rs421QE4/uY
MXOyylOCgWXMl9luC/75k3jV/JyhRANCAASbxH7huN9ij8iWyJcVmZfb48Bu+Wg6
+6sGxfKXIacSkglIrp2S9icFHIdICiYIfXdKHo4Con89NlscEFJB3grq
-----END PRIVATE KEY-----
)";

}  // namespace openrknn::test
