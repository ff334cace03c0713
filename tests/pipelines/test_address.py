from __future__ import annotations

import time

import pytest

from pipelines.address import has_credentials, masked, masked_values
from pipelines.errors import InputError, one_line

SECRET = "S3CR3T"
WITH_SECRET = [
    f"https://u:{SECRET}@host/x",
    # As a Path writes it.
    f"https:/u:{SECRET}@host/x",
    f"//u:{SECRET}@host/x",
    f"s3://KEY:{SECRET}@bucket/models",
    f"https://{SECRET}@github.com/x",
    f"https://u:pa/{SECRET}@host/x",
    f"https://u:p@{SECRET}@host/x",
    f"https://u:12345{SECRET}@host",
    f"http://u:{SECRET}@[::1]:80/x",
    f"HTTPS://U:{SECRET}@HOST/X",
    f"https://u%3A{SECRET}@host/x",
    f"https://u%3A{SECRET}%40host/x",
    f"https%3A%2F%2Fu%3A{SECRET}%40host%2Fx",
    f"abfss://container:{SECRET}@account.dfs.core.windows.net/x",
    f"postgresql+psycopg2://u:{SECRET}@db:5432/runs",
    f"https://host/x?X-Amz-Signature={SECRET}&X-Amz-Expires=60",
    f"https://account.blob.core.windows.net/c/b?sv=2022&sig={SECRET}",
    f"https://host/x?{SECRET}",
    f"https://host/x?a='{SECRET}'&b=1",
    f"https://host/x#access_token={SECRET}",
    f"https://host/x%3Fsig={SECRET}",
    f"url=https%3A%2F%2Fhost%2Fx%3Fsig%3D{SECRET}",
    f"ray://host:10001?token={SECRET}",
    f"file:///data/bundle?sig={SECRET}",
    f"GET /bundle/config.json?x={SECRET} HTTP/1.1",
    f"s3://bucket/x?scheme=http&access_key={SECRET}",
    f"s3://bucket/x?endpoint_override=http://u:{SECRET}@minio:9000",
    f"Basic dXNlcjpz{SECRET}",
    f"Max retries exceeded with url: /bundle/config.json?token={SECRET} (Caused by NewConnectionError)",
    f"cannot connect to proxy 'http://u:{SECRET}@proxy:3128'",
    f"access_key={SECRET}",
    f"AWS_SECRET_ACCESS_KEY={SECRET} is wrong",
    f"DefaultEndpointsProtocol=https;AccountKey={SECRET};EndpointSuffix=core.windows.net",
    f"{{'Authorization': 'Bearer {SECRET}', 'Accept': '*/*'}}",
    f"(b'Authorization', b'Basic {SECRET}')",
    f"Authorization: Basic {SECRET}",
    f"x-api-key: {SECRET}",
    f"{{'password': '{SECRET}', 'k': 6}}",
    f'{{"aws_secret_access_key": "{SECRET}"}}',
    f"--token={SECRET}",
    f"python train.py --db-password {SECRET} --epochs 3",
    f"secret_key: {SECRET}",
    f"HF_TOKEN: {SECRET}",
    f"mlflow.password: '{SECRET}'",
    f"token = {SECRET}",
    f"password => '{SECRET}'",
    rf"https:\/\/u:{SECRET}@host\/x",
    f"aws_session_token: '{SECRET}'",
    f"Cookie: session=1; id={SECRET}",
    f"https://host/x;jsessionid={SECRET}?a=1",
    f"user:{SECRET}@host:6379",
    f"Bearer {SECRET}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", WITH_SECRET)
def test_no_credential_is_left_in_a_masked_text(text: str) -> None:
    assert SECRET not in masked(text)
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize("text", [text for text in WITH_SECRET if "://" in text and " " not in text])
def test_an_address_with_a_credential_is_known(text: str) -> None:
    # What is short, or has no name, may be anything.
    unknown = (f"https://host/x?{SECRET}", f"https://host/x?a='{SECRET}'&b=1")
    assert has_credentials(text) or text in unknown or f"https://{SECRET}@" in text


@pytest.mark.parametrize(
    "text",
    [
        "https://host:8080/path@2/y",
        "abfss://container@account.dfs.core.windows.net/x",
        "training.token_budget=16384 tokens=5 tokenizer.k=3",
        "refuses the token: use the cluster's token",
        "unknown keys: 'token', 'k'",
        "did you mean train?",
        "https://ui.perfetto.dev",
        "s3://bucket/models/run",
        "ID=gene1;biotype=protein_coding",
        "/data//x@y/z: no such file",
        "learning_rate=1e-3",
        "--token-budget 16384 --tokenizer.k 6",
        "toy:chr1:100-200 of a@b",
        "no key 'token' in model.key",
        "Basic helix-loop-helix transcription factor",
        "Name=basic leucine-zipper-protein;Note=Basic Phosphoribosyltransferase",
        "a bearer of-the-gene",
        "its token: set RAY_AUTH_TOKEN_PATH to a file with it",
        "token: 24,000 of 48000",
        "pass=3 sig=0.05 token=12 auth=2",
        "set GOOGLE_APPLICATION_CREDENTIALS=/etc/key.json",
        "data/genome?build=ASM294v2.fa: no such file",
        "s3://bucket/key?endpoint_override=http://minio:9000&scheme=http",
    ],
)
def test_a_text_without_credentials_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_an_address_keeps_what_is_no_secret() -> None:
    assert masked("https://u:p@host:5000/run/bundle?sig=x: no model there") == (
        "https://***@host:5000/run/bundle?***: no model there"
    )


def test_an_endpoint_is_no_credential() -> None:
    assert not has_credentials("s3://bucket/x?endpoint_override=localhost:9000&scheme=http")
    assert has_credentials("s3://bucket/x?endpoint_override=localhost&access_key=x")


def test_a_token_of_a_known_form_is_masked_wherever_it_stands() -> None:
    for token in ("AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "hf_" + "A" * 34):
        assert token not in masked(f"the driver said {token}, and no more")


def test_documents_are_masked_in_keys_and_values_at_any_depth() -> None:
    document = {"https://u:p@h/x": [{"address": "s3://K:S@b"}, 1.5, None], "name": "chr1"}
    assert masked_values(document) == {"https://***@h/x": [{"address": "s3://***@b"}, 1.5, None], "name": "chr1"}


def test_keys_that_differ_in_a_secret_alone_stay_two() -> None:
    document = {"https://u:p@h/x": 1, "https://u:q@h/x": 2, "https://***@h/x (2)": 3}
    assert masked_values(document) == {"https://***@h/x": 1, "https://***@h/x (2)": 2, "https://***@h/x (2) (2)": 3}


def test_errors_are_masked_and_only_then_cut() -> None:
    error = InputError(f"https://u:{SECRET}@host/x: no file", f"correct https://host/x?sig={SECRET}")
    assert SECRET not in str(error) + error.problem + error.fix + repr(error)
    # Cut first, the end of the password and the @ would be gone, and the rest would not be found.
    address = f"https://u:{SECRET}{'x' * 100}@host"
    assert SECRET not in one_line(address, 40)


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a=",
        "a.",
        "https://",
        "https://a:b/",
        "x://a?(",
        "token = a1 ",
        "token: ",
        "Basic a",
        "%",
        "?a=",
        "'token':",
        "=?#",
    ],
)
def test_masking_takes_time_in_proportion_to_the_text(part: str) -> None:
    began = time.monotonic()
    masked(part * (50_000 // len(part)))
    assert time.monotonic() - began < 3
