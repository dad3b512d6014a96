"""Certificates made when the test runs, by the openssl program: no key is kept in the repository."""

import ssl
import subprocess


class Authority:
    """A CA in a folder; issue() makes certificates it signed. Each has .cert and .key (paths) and their texts."""

    def __init__(self, folder, name="test authority"):
        self.dir = folder
        self.dir.mkdir(exist_ok=True)
        self.cert, self.key = self.dir / "ca.pem", self.dir / "ca.key"
        self.name = name
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
        )

    @staticmethod
    def _openssl(*args):
        r = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
        assert r.returncode == 0, f"openssl {args[0]}: {r.stderr[-500:]}"

    @property
    def pem(self):
        return self.cert.read_text()

    def issue(self, name, alt):
        """alt: "DNS:row.test,IP:127.0.0.1"."""
        base = self.dir / name
        key, request, cert = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".pem")
        extensions = base.with_suffix(".cnf")
        extensions.write_text(f"subjectAltName={alt}\nbasicConstraints=critical,CA:FALSE\n")
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", key, "-out", request),
        )
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "2"),
            *("-extfile", extensions, "-out", cert),
        )
        return Issued(name, cert, key)


class Issued:
    def __init__(self, name, cert, key):
        self.name, self.cert, self.key = name, cert, key

    @property
    def pem(self):
        return self.cert.read_text()

    @property
    def key_pem(self):
        return self.key.read_text()

    def server(self, client_ca=None, max_version=None, min_version=None, alpn=("http/1.1",)):
        """An ssl context; client_ca: a client's certificate is asked for (and may be missing)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        if max_version:
            context.maximum_version = max_version
        if min_version:
            context.minimum_version = min_version
        return context
