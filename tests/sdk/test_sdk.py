"""The official Python client, unmodified, against a running server."""

import os
import re
import subprocess
import unittest
import urllib.request
from pathlib import Path

import kernel

KEY = os.environ["KEY"]
READ_KEY = os.environ["READ_KEY"]
NOBODY = "ma_00000000000000000000000000"


def pair(name):
    """A pair that no other test uses."""
    return {"domain": f"{name}.example.com", "profile_name": f"py-{name}"}


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        proxy = Path(__file__).with_name("proxy.mjs")
        command = ["node", str(proxy), os.environ["BASE_URL"]]
        cls.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        cls.url = cls.process.stdout.readline().strip()
        cls.client = kernel.Kernel(api_key=KEY, base_url=cls.url)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.process.kill()
        cls.process.communicate()

    def ask_proxy(self, what):
        with urllib.request.urlopen(f"{self.url}/-/{what}") as answer:
            return answer.read()

    def count(self):
        """The requests since the last call."""
        return int(self.ask_proxy("count"))

    def test_create_retrieve_update_and_delete(self):
        connections = self.client.auth.connections
        created = connections.create(
            **pair("life"),
            login_url="https://life.example.com/login",
            credential={"provider": "my-1p", "path": "Vault/Item"},
            health_check_interval=1800,
        )
        self.assertTrue(re.fullmatch(r"ma_[0-9a-hjkmnp-tv-z]{26}", created.id))
        self.assertEqual(created.status, "NEEDS_AUTH")
        self.assertEqual(created.credential.path, "Vault/Item")
        self.assertEqual(connections.retrieve(created.id), created)
        updated = connections.update(created.id, login_url="", auto_reauth=False)
        self.assertIs(updated.auto_reauth, False)
        self.assertIsNone(updated.login_url)
        self.assertEqual(updated.health_check_interval, 1800)
        connections.delete(created.id)
        with self.assertRaises(kernel.NotFoundError):
            connections.retrieve(created.id)
        with self.assertRaises(kernel.NotFoundError):
            connections.delete(created.id)

    def test_a_conflict_costs_one_request_and_names_the_holder(self):
        created = self.client.auth.connections.create(**pair("conflict"))
        self.count()
        with self.assertRaises(kernel.ConflictError) as raised:
            self.client.auth.connections.create(**pair("conflict"))
        self.assertEqual(raised.exception.body["existing_id"], created.id)
        self.assertEqual(raised.exception.body["code"], "already_exists")
        self.assertEqual(self.count(), 1)

    def test_a_list_of_250_is_walked_to_its_end_whole_and_filtered(self):
        connections = self.client.auth.connections
        ids = [
            connections.create(domain=f"py-many-{n}.example.com", profile_name="py-many").id
            for n in range(250)
        ][::-1]

        def walk(**query):
            return [connection.id for connection in connections.list(**query)]

        self.assertEqual(walk(profile_name="py-many"), ids)
        self.assertEqual(walk(profile_name="py-many", limit=100), ids)
        self.assertEqual(walk(query="py-many-", limit=7), ids)
        self.assertEqual(walk(domain="py-many-3.example.com"), [ids[246]])
        everything = walk(limit=100)
        self.assertEqual(len(set(everything)), len(everything))
        self.assertEqual([id for id in everything if id in set(ids)], ids)

    def test_errors_have_classes_of_their_own_and_cost_one_request_each(self):
        stranger = kernel.Kernel(api_key="nobody", base_url=self.url).auth.connections
        reader = kernel.Kernel(api_key=READ_KEY, base_url=self.url).auth.connections
        connections = self.client.auth.connections
        elsewhere = {"X-Kernel-Project-Id": "nowhere"}
        for kind, act in [
            (kernel.AuthenticationError, lambda: stranger.retrieve(NOBODY)),
            (kernel.PermissionDeniedError, lambda: reader.create(**pair("denied"))),
            (kernel.NotFoundError, lambda: connections.retrieve(NOBODY)),
            (kernel.NotFoundError, lambda: connections.retrieve("nonsense")),
            (kernel.NotFoundError, lambda: connections.create(**pair("denied"), extra_headers=elsewhere)),
            (kernel.NotFoundError, lambda: connections.login(NOBODY)),
            (kernel.BadRequestError, lambda: connections.create(domain="a b", profile_name="")),
        ]:
            self.count()
            with self.subTest(kind=kind.__name__), self.assertRaises(kind) as raised:
                act()
            self.assertIsInstance(raised.exception.body["code"], str)
            self.assertEqual(self.count(), 1)

    def test_a_lost_answer_is_found_again_with_a_key_and_named_by_the_conflict_without_one(self):
        connections = self.client.auth.connections
        self.count()
        self.ask_proxy("lose")
        created = connections.create(**pair("lost"), extra_headers={"Idempotency-Key": "py-lost-1"})
        self.assertEqual(self.count(), 2)
        self.assertEqual(created.domain, "lost.example.com")
        self.ask_proxy("lose")
        with self.assertRaises(kernel.ConflictError) as raised:
            connections.create(**pair("lost-too"))
        self.assertEqual(self.count(), 2)
        holder = connections.retrieve(raised.exception.body["existing_id"])
        self.assertEqual(holder.profile_name, "py-lost-too")


if __name__ == "__main__":
    unittest.main()
