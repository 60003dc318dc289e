"""Where the engines run: processor or graphics card, how many threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.weights import check_file

CUDA_PROVIDER = "CUDAExecutionProvider"
OPENVINO_PROVIDER = "OpenVINOExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus() -> int:
    """Cores this process may use: its affinity, and the container's quota (cgroup v2) when one is set."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    if not quota.isdigit():
        return cores
    return max(1, min(cores, round(int(quota) / int(period))))


def thread_count(config: EngineConfig) -> int:
    """Threads one engine may use: ``config.threads``, or every usable core when that is 0."""
    return config.threads if config.threads > 0 else usable_cpus()


def worker_environment(config: EngineConfig) -> dict[str, str]:
    """Environment variables to set before a worker starts.

    Waiting threads must sleep: on a machine that does other things as well, threads that spin while they wait
    cost two thirds of the throughput. The libraries read these variables when they are loaded, so they
    have to be set by whoever starts the process.
    """
    threads = str(thread_count(config))
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # The tokenizers' thread pool does not survive a fork; our batches of text are small.
        "TOKENIZERS_PARALLELISM": "false",
        # A missing model is found by looking for its files, never by a download that fails.
        "HF_HUB_OFFLINE": "1",
    }


def onnx_providers(config: EngineConfig) -> list[str]:
    """ONNX Runtime's execution providers in order of preference: what is installed, by ``config.device``.

    CUDA, then OpenVINO (Intel's, from the package onnxruntime-openvino; it runs on the processor here, so
    ``cpu`` allows it), then ONNX Runtime's own for the processor.
    Raises EngineUnavailable when the graphics card is asked for and this ONNX Runtime cannot use one.
    """
    import onnxruntime

    installed = onnxruntime.get_available_providers()
    if config.device == "cuda" and CUDA_PROVIDER not in installed:
        raise _no_cuda("the installed ONNX Runtime has no CUDA provider")
    wanted = [OPENVINO_PROVIDER, CPU_PROVIDER]
    if config.device != "cpu":
        wanted.insert(0, CUDA_PROVIDER)
    return [name for name in wanted if name in installed]


def start_providers(config: EngineConfig) -> list[str]:
    """``onnx_providers``, ready for a session: CUDA's libraries are in the process where they are wanted.

    They come as packages (``onnxruntime-gpu[cuda,cudnn]``, or those of torch), in folders that the system's
    loader does not search.
    """
    providers = onnx_providers(config)
    if CUDA_PROVIDER in providers:
        _load_cuda()
    return providers


@cache
def _load_cuda() -> None:
    """Once a process. What cannot be loaded is printed by ONNX Runtime: to where errors are read."""
    import onnxruntime

    with redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()


def provider_options(providers: Sequence[str], config: EngineConfig) -> list[dict[str, str]]:
    """Of each of them, for ``onnxruntime.InferenceSession``."""
    return [_provider_options(provider, config) for provider in providers]


def _provider_options(provider: str, config: EngineConfig) -> dict[str, str]:
    """OpenVINO would choose device and threads by itself. The others go by the session's options.

    CUDA by default tries every algorithm of a convolution for every new size of the input, and the pages and
    faces here come in all sizes.
    """
    return {
        OPENVINO_PROVIDER: {"device_type": "CPU", "num_of_threads": str(thread_count(config))},
        CUDA_PROVIDER: {"cudnn_conv_algo_search": "HEURISTIC"},
    }.get(provider, {})


def device_name(provider: str) -> str:
    """ONNX Runtime's execution provider as people say it: ``cpu``, ``cuda``, ``openvino``."""
    return provider.removesuffix("ExecutionProvider").lower()


def session_options(config: EngineConfig, *, arena: bool = True) -> Any:
    """``onnxruntime.SessionOptions`` of every session here: our threads, which sleep while they wait, no log.

    ``arena=False`` gives memory back after each run: for models whose inputs change size all the time.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count(config)
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def onnx_session(model: Path, config: EngineConfig, *, arena: bool = True) -> Any:
    """Load an ONNX model as an ``onnxruntime.InferenceSession`` on the configured device.

    Raises EngineUnavailable when the file is no ONNX model this runtime can load, or when the card that was
    asked for cannot be used (ONNX Runtime itself falls back to the processor without a word); WeightsDamaged
    when it is not the file that was downloaded. ``arena`` is that of ``session_options``.
    """
    import onnxruntime

    check_file(model)
    options = session_options(config, arena=arena)
    try:
        providers = start_providers(config)
        session = onnxruntime.InferenceSession(
            str(model),
            options,
            providers=providers,
            provider_options=provider_options(providers, config),
        )
    except EngineUnavailable:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise EngineUnavailable(
            f"ONNX Runtime cannot load {model}: {error}",
            "Fetch the file again: it may be incomplete, a Git LFS pointer, or lack its external data.",
        ) from error
    require_device(session, config)
    return session


def require_device(session: Any, config: EngineConfig) -> None:
    """Raise EngineUnavailable when the card was asked for and ONNX Runtime fell back to the processor."""
    if config.device == "cuda" and session.get_providers()[:1] != [CUDA_PROVIDER]:
        raise _no_cuda("the CUDA provider could not start")


def _no_cuda(why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"DEVICE=cuda is set, but {why}.",
        "Set DEVICE=auto or DEVICE=cpu, or run `make engines EXTRAS=onnxruntime-gpu`.",
    )
