"""The manifest against the fields in KubeRay's API reference (ray.io/v1), and its pods against Kubernetes' schema."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml

from cluster.cli import parser_of_all
from cluster.jobs.command import prepare
from pipelines.errors import InputError

RECIPES = Path(__file__).parents[3] / "cluster" / "recipes"
STRING, INTEGER, NUMBER, BOOLEAN = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
STRINGS = {"type": "object", "additionalProperties": STRING}
ANY: dict[str, Any] = {"type": "object"}


def object_of(required: list[str], **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


WORKERS = object_of(
    ["groupName", "template"],
    suspend=BOOLEAN,
    groupName=STRING,
    replicas=INTEGER,
    minReplicas=INTEGER,
    maxReplicas=INTEGER,
    idleTimeoutSeconds=INTEGER,
    rayStartParams=STRINGS,
    template=ANY,
    scaleStrategy=ANY,
    numOfHosts=INTEGER,
)
AUTHENTICATION = object_of([], mode={"enum": ["disabled", "token"]}, secretName=STRING, enableK8sTokenAuth=BOOLEAN)
HEAD = object_of(
    ["template"], template=ANY, headService=ANY, enableIngress=BOOLEAN, rayStartParams=STRINGS, serviceType=STRING
)
CLUSTER = object_of(
    ["headGroupSpec"],
    suspend=BOOLEAN,
    managedBy=STRING,
    authOptions=AUTHENTICATION,
    autoscalerOptions=ANY,
    headServiceAnnotations=STRINGS,
    enableInTreeAutoscaling=BOOLEAN,
    gcsFaultToleranceOptions=ANY,
    headGroupSpec=HEAD,
    rayVersion=STRING,
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
JOB = object_of(
    ["entrypoint"],
    activeDeadlineSeconds=INTEGER,
    backoffLimit=INTEGER,
    rayClusterSpec=CLUSTER,
    submitterPodTemplate=ANY,
    metadata=STRINGS,
    clusterSelector=STRINGS,
    submitterConfig=ANY,
    managedBy=STRING,
    entrypoint=STRING,
    runtimeEnvYAML=STRING,
    jobId=STRING,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
    entrypointResources=STRING,
    entrypointNumCpus=NUMBER,
    entrypointNumGpus=NUMBER,
    ttlSecondsAfterFinished=INTEGER,
    shutdownAfterJobFinishes=BOOLEAN,
    suspend=BOOLEAN,
)
RAYJOB = object_of(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=ANY,
    spec=JOB,
)


@pytest.fixture
def manifest() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((RECIPES / "rayjob.yaml").read_text())
    return document


def templates(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"]["rayClusterSpec"]
    return [spec["headGroupSpec"]["template"], *(group["template"] for group in spec["workerGroupSpecs"])]


def test_every_field_is_one_that_kuberay_documents_and_of_its_type(manifest: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(RAYJOB).validate(manifest)


def test_a_misspelt_field_is_refused(manifest: dict[str, Any]) -> None:
    manifest["spec"]["rayClusterSpec"]["workerGroupSpec"] = []
    with pytest.raises(jsonschema.ValidationError, match="workerGroupSpec"):
        jsonschema.Draft202012Validator(RAYJOB).validate(manifest)


def test_the_cluster_accepts_no_client_without_its_token(manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["rayClusterSpec"]["authOptions"]["mode"] == "token"


def test_no_container_has_rights_that_it_does_not_need(manifest: dict[str, Any]) -> None:
    for template in templates(manifest):
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        assert template["spec"]["securityContext"]["runAsUser"] == 1000
        for container in template["spec"]["containers"]:
            rights = container["securityContext"]
            assert rights == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_a_pod_that_must_leave_has_as_long_as_a_job_that_is_stopped(manifest: dict[str, Any]) -> None:
    variables = yaml.safe_load(manifest["spec"]["runtimeEnvYAML"])["env_vars"]
    for template in templates(manifest):
        assert template["spec"]["terminationGracePeriodSeconds"] > int(variables["RAY_JOB_STOP_WAIT_TIME_S"])


def test_the_cache_ends_below_the_limit_of_its_volume(manifest: dict[str, Any]) -> None:
    limit_gib = int(yaml.safe_load(manifest["spec"]["runtimeEnvYAML"])["env_vars"]["RAYGENE_CACHE_GIB"])
    for template in templates(manifest):
        (cache,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "cache"]
        assert limit_gib < int(cache["emptyDir"]["sizeLimit"].removesuffix("Gi"))


def test_the_command_is_one_that_raygene_takes(manifest: dict[str, Any]) -> None:
    words = shlex.split(manifest["spec"]["entrypoint"])
    assert words[0] == "raygene"
    with pytest.raises(InputError, match=r"/data/experiment\.yaml: no such file"):
        prepare(words[1:], parser_of_all())


def test_a_gpu_and_a_pod_for_every_worker_of_the_training(manifest: dict[str, Any]) -> None:
    words = shlex.split(manifest["spec"]["entrypoint"])
    workers = int(words[words.index("--training.workers") + 1])
    groups = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    limits = [group["template"]["spec"]["containers"][0]["resources"]["limits"] for group in groups]
    assert workers == sum(
        group["replicas"] * int(limit["nvidia.com/gpu"]) for group, limit in zip(groups, limits, strict=True)
    )


def test_the_ray_of_the_manifest_is_the_pinned_one(manifest: dict[str, Any]) -> None:
    assert manifest["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_every_mount_has_its_volume(manifest: dict[str, Any]) -> None:
    for template in templates(manifest):
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        for container in template["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@pytest.mark.full
def test_the_pods_pass_the_published_schema_of_kubernetes(manifest: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for template in templates(manifest):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": template["spec"]}
        validate.validate(pod, "1.28", strict=True)
