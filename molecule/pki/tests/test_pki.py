"""Certificates are right, private, renewed when they are due, and the CA's key stays on the controller."""

from __future__ import annotations

PKI = "/etc/quartet/pki"


def test_the_certificate_is_of_the_ca_and_has_the_names(host):
    host.check_output(f"openssl verify -CAfile {PKI}/ca.crt {PKI}/sample.crt")
    text = host.check_output(f"openssl x509 -in {PKI}/sample.crt -noout -subject -ext subjectAltName")
    assert "CN = quartet-sample" in text
    assert "DNS:sample.test" in text
    assert "IP Address:10.77.0.103" in text


def test_the_key_is_the_certificates_and_roots_alone(host):
    key = host.check_output(f"openssl pkey -in {PKI}/sample.key -pubout")
    assert key == host.check_output(f"openssl x509 -in {PKI}/sample.crt -noout -pubkey")
    for name in ("sample.key", "sample.pem"):
        file = host.file(f"{PKI}/{name}")
        assert (file.user, file.mode) == ("root", 0o600), name


def test_the_cas_key_is_not_on_the_vm(host):
    public = host.check_output(f"openssl x509 -in {PKI}/ca.crt -noout -pubkey")
    for file in host.check_output("grep -rlE 'PRIVATE KEY' /etc/quartet").split():
        assert host.check_output("openssl pkey -in %s -pubout", file) != public, file
