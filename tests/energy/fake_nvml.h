// How a test steers the fake NVML library, through dlsym.
#pragma once

struct FakeBoard {
  unsigned long long energy_mj = 0;
  int status = 0;  // what reading the energy returns
};

extern "C" {
void fake_nvml_set_board(unsigned index, FakeBoard board);
void fake_nvml_set_init_status(int status);
int fake_nvml_running();
}
