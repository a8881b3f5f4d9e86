/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/cuda_image.h"

#include <elf.h>
#include <string.h>

#include "common/bytes.h"

/*
 * A fatbin's outer header, as the CUDA Toolkit's fatbinary_section.h describes it:
 * u32 magic, u16 version, u16 bytes of this header, u64 bytes of all that follows it.
 */
#define FATBIN_MAGIC	    UINT32_C(0xba55ed50)
#define FATBIN_HEADER_BYTES 16u

/* Of the struct that nvcc puts into programs: it holds the address of the fatbin. */
#define FATBIN_WRAPPER_MAGIC UINT32_C(0x466243b1)

/* Any GPU's memory is smaller; so sums of this many cannot overflow. */
#define SECTION_BYTES_MAX (UINT64_C(1) << 44)

static int refuse(const char **reason, const char *text)
{
	*reason = text;
	return -1;
}

static int check_sections(const uint8_t *image, uint64_t bytes, const Elf64_Ehdr *header,
			  uint64_t *loaded_bytes, const char **reason)
{
	for (uint64_t i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr section;

		memcpy(&section, image + header->e_shoff + i * sizeof(section), sizeof(section));
		if (section.sh_size > SECTION_BYTES_MAX)
			return refuse(reason, "a section is larger than any memory");
		if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
		    !vgpu_range_ok(section.sh_offset, section.sh_size, bytes))
			return refuse(reason, "a section is not within the image");
		if (section.sh_flags & SHF_ALLOC)
			*loaded_bytes += section.sh_size;
	}
	return 0;
}

static int check_cubin(const uint8_t *image, uint64_t bytes, uint64_t *loaded_bytes,
		       const char **reason)
{
	Elf64_Ehdr header;

	if (bytes < sizeof(header))
		return refuse(reason, "it ends within its ELF header");
	memcpy(&header, image, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_CUDA)
		return refuse(reason, "it is an ELF file, but none for a GPU");
	if ((header.e_shnum && header.e_shentsize != sizeof(Elf64_Shdr)) ||
	    (header.e_phnum && header.e_phentsize != sizeof(Elf64_Phdr)))
		return refuse(reason, "its ELF headers have an unknown size");
	if (!vgpu_range_ok(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr), bytes) ||
	    !vgpu_range_ok(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), bytes))
		return refuse(reason, "its ELF headers are not within the image");
	if (header.e_shnum && header.e_shstrndx >= header.e_shnum)
		return refuse(reason, "its section names are in no section");
	return check_sections(image, bytes, &header, loaded_bytes, reason);
}

static int check_fatbin(const uint8_t *image, uint64_t bytes, const char **reason)
{
	uint64_t header_bytes;

	if (bytes < FATBIN_HEADER_BYTES)
		return refuse(reason, "it ends within its fatbin header");
	header_bytes = vgpu_load32(image + 4) >> 16;
	if (header_bytes < FATBIN_HEADER_BYTES || header_bytes > bytes ||
	    vgpu_load64(image + 8) > bytes - header_bytes)
		return refuse(reason, "it is a fatbin that is longer than the image");
	return 0;
}

int cuda_image_check(const void *image, uint64_t bytes, enum cuda_image_form *form,
		     uint64_t *loaded_bytes, const char **reason)
{
	uint32_t magic = bytes >= 4 ? vgpu_load32(image) : 0;

	*loaded_bytes = 0;
	if (magic == FATBIN_WRAPPER_MAGIC)
		return refuse(reason, "it is a wrapper with a fatbin's address, not a fatbin");
	if (magic == FATBIN_MAGIC) {
		*form = CUDA_IMAGE_FATBIN;
		return check_fatbin(image, bytes, reason);
	}
	if (bytes >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0) {
		*form = CUDA_IMAGE_CUBIN;
		return check_cubin(image, bytes, loaded_bytes, reason);
	}
	*form = CUDA_IMAGE_PTX;
	/* One zero byte at its end is what many programs send with their PTX. */
	if (bytes && ((const uint8_t *)image)[bytes - 1] == 0)
		bytes--;
	if (memchr(image, 0, bytes) || !memmem(image, bytes, ".version", 8))
		return refuse(reason, "it is no PTX, cubin or fatbin");
	return 0;
}
