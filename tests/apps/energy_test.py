"""--energy and --pace as a user sees them, on written sensor trees; and the profile of this machine."""

import json
import os
import subprocess
import tomllib
import unittest

import cli
from cli import FAILED, USAGE

NOTHING = {"energy_j", "joules_per_token", "energy_source", "energy_basis", "energy_split_j",
           "energy_split_source", "energy_unmeasured_s", "paper_accounting_j",
           "paper_accounting_j_per_token"}  # fmt: skip


class EnergyTest(cli.CommandTest):
    def board(self, watts=5):
        """A tree with one power sensor at the board's input."""
        chip = self.folder / "sys" / "class" / "hwmon" / "hwmon0"
        chip.mkdir(parents=True)
        (chip / "name").write_text("ina3221\n")
        (chip / "update_interval").write_text("50\n")  # milliseconds
        (chip / "power1_label").write_text("VDD_IN\n")
        (chip / "power1_input").write_text(f"{watts * 1_000_000}\n")
        return self.folder / "sys"

    def empty(self):
        (self.folder / "none").mkdir()
        return self.folder / "none"

    def home(self):
        return cli.environment(XDG_CONFIG_HOME=os.fspath(self.folder))

    def generate(self, *arguments):
        done = cli.generate(*arguments, "--json", "-", env=self.home())
        self.assert_works(done)
        return json.loads(done.stdout), done.stderr.decode()


class Sources(EnergyTest):
    def test_a_sensor_is_found_and_its_joules_are_power_times_time(self):
        for source in ("auto", "hwmon"):
            with self.subTest(source=source):
                tree = self.board() if source == "auto" else self.folder / "sys"
                data, shown = self.generate("-n", "60", "--energy", source, "--sysfs", tree)
                self.assertEqual(data["energy_source"], "hwmon")
                self.assertEqual(data["energy_basis"], "measured-total-modelled-split")
                self.assertEqual(data["energy_split_source"], "time")
                self.assertAlmostEqual(data["energy_j"] / (5 * data["total_s"]), 1.0, delta=0.05)
                self.assertAlmostEqual(sum(data["energy_split_j"].values()), data["energy_j"])
                self.assertAlmostEqual(
                    data["joules_per_token"] * data["tokens"], data["energy_j"]
                )
                self.assertIn("(hwmon)", shown)
                self.assertNotIn("model", shown)

    def test_without_a_sensor_auto_says_nothing(self):
        data, shown = self.generate("--energy", "auto", "--sysfs", self.empty())
        self.assertEqual({key for key in NOTHING if data[key] is None}, NOTHING)
        self.assertNotIn("energy", shown)

    def test_none_does_not_look(self):
        data, _ = self.generate("--energy", "none", "--sysfs", self.board())
        self.assertIsNone(data["energy_j"])

    def test_modelled_joules_carry_the_word(self):
        data, shown = self.generate("-n", "30", "--energy", "model:phone")
        self.assertEqual(data["energy_source"], "model:phone")
        self.assertEqual(data["energy_basis"], "model")
        self.assertIn("(model:phone)", shown)
        split = data["energy_split_j"]
        self.assertAlmostEqual(data["paper_accounting_j"], split["draft"] + split["tx"])
        self.assertEqual((split["tx"], split["rx"]), (0, 0))  # one process
        drafting = min(data["draft_s"], data["total_s"])
        self.assertAlmostEqual(split["draft"] / (7.7 * drafting), 1.0, delta=0.05)

    def test_what_is_not_there_is_refused(self):
        tree = self.empty()
        for source, code, word in [
            ("rapl", FAILED, "RAPL"),
            ("battery", FAILED, "battery"),
            ("sun", USAGE, "--energy sun"),
            ("model:sun", FAILED, "raspberry-pi-5"),
            ("model:this-machine", FAILED, "gelato doctor --measure"),
            ("model:", USAGE, "name"),
        ]:
            with self.subTest(source=source):
                done = cli.generate("--energy", source, "--sysfs", tree, env=self.home())
                self.assert_refused(done, code, word)

    def test_keys_are_documented(self):
        data, _ = self.generate("--energy", "none")
        self.assertLessEqual(NOTHING | {"pace"}, cli.documented("gelato run") & data.keys())


class Pace(EnergyTest):
    def test_drafting_takes_the_time_of_the_profile(self):
        data, shown = self.generate("-n", "20", "--policy", "static:2", "--pace", "phone")
        self.assertEqual(data["pace"]["profile"], "phone")
        self.assertGreaterEqual(data["pace"]["tokens"], data["drafted"])
        self.assertGreaterEqual(data["draft_s"], 0.95 * 0.0178 * data["pace"]["tokens"])
        self.assertIn("paced to the profile phone", shown)

    def test_the_text_stays_the_same(self):
        paced, _ = self.generate("-n", "20", "--pace", "paper")
        free, _ = self.generate("-n", "20")
        self.assertEqual(paced["output_sha256"], free["output_sha256"])
        self.assertIsNone(free["pace"])

    def test_a_profile_from_a_file_and_a_damaged_one(self):
        file = self.folder / "own.toml"
        text = (cli.ROOT / "assets" / "profiles" / "paper.toml").read_text()
        file.write_text(text.replace('name = "paper"', 'name = "own"'))
        data, _ = self.generate("-n", "4", "--pace", file)
        self.assertEqual(data["pace"]["profile"], "own")
        file.write_text(text.replace("schema = 1", "schema = 1\nspeed = 3"))
        self.assert_refused(cli.generate("--pace", file), FAILED, "own.toml", "speed")


class Device(EnergyTest):
    """The same over a link: what is sent and received has its share."""

    def test_sending_and_receiving_have_their_joules(self):
        edge = subprocess.Popen(
            [cli.GELATO, "edge", "--listen", "127.0.0.1:0"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with edge:
            try:
                endpoint = edge.stdout.readline().split()[-1]
                done = cli.run(
                    "device", "--edge", endpoint, "-p", "Once upon a time", "-n", "20",
                    "--link", "rate=1mbit,delay=5ms", "--energy", "model:phone", "--json", "-",
                )  # fmt: skip
            finally:
                edge.terminate()
        self.assert_works(done)
        data = json.loads(done.stdout)
        split = data["energy_split_j"]
        self.assertGreater(split["tx"], 0)
        self.assertGreater(split["rx"], 0)
        self.assertAlmostEqual(sum(split.values()), data["energy_j"])
        # No more than all bytes at the link's rate: 1.73 W sending, see the profile.
        self.assertLessEqual(split["tx"], 1.74 * 8 * data["uplink_bytes"] / 1e6)
        self.assertEqual(data["energy_source"], "model:phone")
        self.assertLessEqual(NOTHING | {"pace"}, data.keys())


class Doctor(EnergyTest):
    def doctor(self, *arguments, **options):
        done = cli.run(
            "doctor", "--no-measure", *arguments, "--json", "-", env=self.home(), **options
        )
        data = json.loads(done.stdout)
        return done, {check["subject"]: check for check in data["checks"]}

    def test_every_meter_has_a_line(self):
        _, found = self.doctor("--sysfs", self.board())
        self.assertEqual(found["meter hwmon"]["state"], "ok")
        self.assertIn("VDD_IN", found["meter hwmon"]["text"])
        for name in ("battery", "rapl"):
            self.assertEqual(found[f"meter {name}"]["state"], "note")
            self.assertFalse(found[f"meter {name}"]["data"]["works"])
        self.assertNotIn("profile", found)

    def test_measure_without_a_meter_marks_estimates(self):
        done, found = self.doctor("--measure", "--sysfs", self.empty())
        self.assert_works(done)
        self.assertEqual(found["profile"]["state"], "note")
        self.assertIn("draft.power_w", found["profile"]["hint"])
        file = self.folder / "gelato" / "profiles" / "this-machine.toml"
        self.assertEqual(found["profile"]["data"]["file"], os.fspath(file))
        profile = tomllib.loads(file.read_text())
        self.assertEqual(profile["draft"]["model"], cli.DRAFT.name)
        self.assertTrue(profile["draft"]["power_w"]["estimate"])
        self.assertNotIn("estimate", profile["draft"]["token_s"])
        data, _ = self.generate("--energy", "model:this-machine")
        self.assertEqual(data["energy_source"], "model:this-machine")

    def test_measure_with_a_meter_and_with_words_of_the_user(self):
        file = self.folder / "mine.toml"
        done, found = self.doctor("--measure", "--profile", file, "--sysfs", self.board(7))
        self.assert_works(done)
        self.assertAlmostEqual(found["profile"]["data"]["draft_power_w"]["value"], 7, delta=0.1)
        self.assertFalse(found["profile"]["data"]["device_idle_w"]["estimate"])
        self.assertIn("hwmon", tomllib.loads(file.read_text())["device"]["idle_w"]["source"])
        done, found = self.doctor(
            "--measure", "--profile", file, "--draft-watts", "20", "--idle-watts", "1.5",
            "--sysfs", self.folder / "sys",
        )  # fmt: skip
        self.assertEqual(tomllib.loads(file.read_text())["device"]["idle_w"]["value"], 1.5)
        data, _ = self.generate("--energy", f"model:{file}")
        self.assertEqual(data["energy_source"], "model:this-machine")

    def test_a_profile_with_nowhere_to_go_fails_before_measuring(self):
        done, found = self.doctor("--measure", "--profile", self.folder / "no" / "p.toml")
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(found["profile"]["state"], "failed")

    def test_options_of_the_measurement_need_it(self):
        self.assert_refused(cli.run("doctor", "--draft-watts", "3"), USAGE, "--measure")


if __name__ == "__main__":
    unittest.main()
