from __future__ import annotations

from pathlib import Path

import pytest

from cluster.jobs.private_files import has_private_name, holds_private_key

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "name",
    [
        "training/id_rsa",
        "cluster/server.pem~",
        "token.txt.bak",
        ".env.old",
        "cluster/secrets/database.txt",
        "google-service-account.json",
        "gcp-key.json",
        "kaggle.json",
        "host.keytab",
        "training/id_ed25519",
        "deploy_id_ecdsa.bak",
        "cluster/server.pem",
        "cluster/SERVER.KEY",
        "a/keys.p12",
        "a/keys.pfx",
        "a/store.jks",
        "a/passwords.kdbx",
        "token.txt",
        "pipelines/tokens/token.txt",
        "hf_token",
        "github-token.json",
        "cluster.token",
        "auth_token",
        ".env",
        ".env.production",
        "prod.env",
        ".netrc",
        ".npmrc",
        ".pypirc",
        "credentials",
        "credentials.json",
        "credentials-prod.yaml",
        "aws_credentials.csv",
        "training/.aws/config",
        "training/.ssh/known_hosts",
        "kubeconfig",
        "service-account.json",
        "service_account_42.json",
        "client_secret_1.apps.json",
        "secrets.yaml",
        "api_key.txt",
        "db-password.txt",
    ],
)
def test_keys_tokens_and_credentials_are_known_by_their_names(name: str) -> None:
    assert has_private_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "pipelines/tokens/tokenizer.py",
        "pipelines/secrets/store.py",
        "tokenizer.py.bak",
        "id_rsa.pub.old",
        "pipelines/tokens/tokenizer.json",
        "pipelines/tokens/tokens.txt",
        "special_tokens_map.json",
        "token_count.csv",
        "token_type_ids.json",
        "cluster/local_ray/token.py",
        "credentials.py",
        "secrets.py",
        "training/keys.py",
        "monkey.txt",
        "environment.yaml",
        "id_rsa.pub",
        ".env.example",
        "report.html",
        "docs/token.md",
        ".gitignore",
    ],
)
def test_code_and_data_of_similar_names_are_not_taken_for_secrets(name: str) -> None:
    assert not has_private_name(name)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("notes.txt", KEY, True),
        ("notes.txt", "\ufeff\n" + KEY, True),
        ("chain.txt", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n" + KEY, True),
        ("project-1234.json", '{"private_key": "-----BEGIN PRIVATE KEY-----\\nabc"}', True),
        ("backup", "PuTTY-User-Key-File-3: ssh-ed25519\n", True),
        ("settings.ini", "[default]\naws_secret_access_key = abc\n", True),
        ("mail.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n", True),
        ("key_without_ending.py", KEY, True),
        ("tokenizer.py", f'EXAMPLE = """\n{KEY}"""\n', False),
        ("certificate.txt", "-----BEGIN CERTIFICATE-----\nabc\n", False),
        ("public.txt", "-----BEGIN PUBLIC KEY-----\nabc\n", False),
        ("empty", "", False),
    ],
)
def test_private_keys_are_known_by_what_a_file_holds(tmp_path: Path, name: str, text: str, expected: bool) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert holds_private_key(tmp_path / name) == expected
