// BPDUs as frames of a run, and as the bytes of a capture.
#pragma once

#include "model/model.h"
#include "simulate/frame.h"
#include "switching/tree.h"
#include "wire/stp.h"

namespace sekimori::simulate {

Frame pack(const switching::tree::Bpdu& bpdu, std::uint32_t port, Time now);
switching::tree::Bpdu unpack(const model::Model& model, const Frame& frame);

wire::Bpdu bytes_of_bpdu(const model::Model& model, const Frame& frame);

}  // namespace sekimori::simulate
