"""The snippets of LiteLLM's documentation run with one import and the environment changed."""

import json

from ..stub.faultstub import FaultStub
from .asking import run_script

QUICK_START = """
from understudy.server import Router

model_list = [
    {
        "model_name": "gpt-3.5-turbo",
        "litellm_params": {
            "model": "azure/chatgpt-v-2",
            "api_key": "...",
            "silent_model": "gpt-4" # 👈 Mirror traffic to gpt-4
        },
    },
    {
        "model_name": "gpt-4",
        "litellm_params": {
            "model": "openai/gpt-4",
            "api_key": "..."
        },
    }
]

router = Router(model_list=model_list)

async def main():
    # The request to "gpt-3.5-turbo" will trigger a background call to "gpt-4"
    response = await router.acompletion(
        model="gpt-3.5-turbo",
        messages=[{"role": "user", "content": "How does traffic mirroring work?"}]
    )
    print(response.choices[0].message.content)

import asyncio
asyncio.run(main())
"""

FOR_LOCAL = """
from understudy.server import completion_with_split_tests
import os

## set ENV variables
os.environ["OPENAI_API_KEY"] = "openai key"
os.environ["HUGGINGFACE_API_KEY"] = "huggingface key"

## route 20% of responses to Llama2
split_per_model = {
	"gpt-4": 0.8,
	"huggingface/https://my-unique-endpoint.us-east-1.aws.endpoints.huggingface.cloud": 0.2
}

messages = [{ "content": "Hello, how are you?","role": "user"}]

completion_with_split_tests(
  models=split_per_model,
  messages=messages,
)
"""
# The one thing that is the reader's own to fill in.
PLACEHOLDER = "https://my-unique-endpoint.us-east-1.aws.endpoints.huggingface.cloud"


def test_the_quick_start_of_mirroring_runs(stub: FaultStub) -> None:
    ran = run_script(QUICK_START, {"AZURE_API_BASE": stub.url, "OPENAI_BASE_URL": f"{stub.url}/v1"})

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Hello from chatgpt-v-2.\n", "")
    # Side by side, so either may be there first.
    primary, silent = sorted(stub.requests, key=lambda one: one.model)
    assert (primary.model, silent.model) == ("chatgpt-v-2", "gpt-4")
    assert silent.headers["authorization"] == "Bearer ..."
    assert json.loads(silent.body)["messages"] == json.loads(primary.body)["messages"]
    assert primary.headers["api-key"] == "..."
    assert json.loads(primary.body)["messages"] == [
        {"role": "user", "content": "How does traffic mirroring work?"}
    ]


def test_the_split_test_for_local_use_runs(stub: FaultStub) -> None:
    text = FOR_LOCAL.replace(PLACEHOLDER, stub.url)
    again = text.rpartition("\n\n")[2] * 20  # so that each model has its turn

    ran = run_script(text + again, {"OPENAI_BASE_URL": f"{stub.url}/v1"})

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert stub.count == 21
    keys = {one.model: one.headers["authorization"] for one in stub.requests}
    assert keys.pop("gpt-4") == "Bearer openai key"
    assert set(keys.values()) <= {"Bearer huggingface key"}
